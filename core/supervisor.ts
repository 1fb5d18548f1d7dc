import { setImmediate } from 'node:timers/promises';
import type { Agent, Collection } from './agent.js';
import type { AgentConfig } from './config/schema.js';
import { Deadline, withDeadline } from './deadline.js';
import { describeError, MemWatcherError } from './errors.js';
import type { Logger } from './logger.js';
import type { PluginStatus } from './plugin.js';
import type { EventRecord, SpanRecord } from './telemetry/events.js';

/** An agent and what was made for it alone. */
export interface Assembly {
  readonly agent: Agent;
  readonly config: AgentConfig;
  /**
   * Closes the sinks that `successor` does not take over; all of them without one. Called once,
   * after the agent has stopped. What they still hold is dropped.
   */
  release(successor?: Assembly): Promise<void>;
}

/**
 * Makes an assembly; sinks and plugins whose configuration is unchanged are taken over from
 * `previous`.
 */
export type Assemble = (config: AgentConfig, previous?: Assembly) => Promise<Assembly>;

type Load = () => AgentConfig | Promise<AgentConfig>;

export interface SupervisorOptions {
  readonly assemble: Assemble;
  readonly logger: Logger;
  readonly onCollection?: (collection: Collection) => void;
  readonly onEvent?: (event: EventRecord) => void;
  readonly onSpan?: (span: SpanRecord) => void;
  /** A configuration has come into force. */
  readonly onConfig?: (config: AgentConfig) => void;
}

/**
 * Shares of the deadline of a stop: what a start or reload under way has to end by itself, when the
 * agent must have stopped, and when a reload must have closed the agent that it replaced.
 */
const INTERRUPTED_BY = 0.1;
const STOPPED_BY = 0.9;
const REPLACED_BY = 0.95;

/**
 * Runs one agent, and exchanges it for another when the configuration changes: the new one is built,
 * its new plugins are started beside the old, and it takes over only if nothing that worked stops
 * working. Whatever goes wrong on the way, the old one runs on.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  #current: Assembly | undefined;
  #work: Promise<unknown> = Promise.resolve();
  /** `shutdown_timeout` of the configuration that was started, or is in force. */
  #shutdownTimeout = 0;
  /** A reload that has not begun yet. */
  #waiting: { load: Load; readonly taken: Promise<boolean> } | undefined;
  /** Interrupts a start or reload under way. */
  readonly #stopping = new AbortController();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get statuses(): readonly PluginStatus[] {
    return this.#current?.agent.statuses ?? [];
  }

  /** Starts, and collects once an interval until `stop`. Throws if the sinks cannot be made. */
  start(config: AgentConfig): Promise<void> {
    this.#shutdownTimeout = config.shutdown_timeout;
    return this.#serially(async () => {
      const assembly = await this.#assemble(config);
      if (this.#stopping.signal.aborted) {
        await assembly.release();
        return;
      }
      this.#current = assembly;
      this.#options.onConfig?.(config);
      await assembly.agent.start(this.#stopping.signal);
      if (this.#stopping.signal.aborted) return;
      assembly.agent.schedule();
      tidy();
    });
  }

  /**
   * Resolves to whether the new configuration is in force; the reason why not is logged. Asked for
   * again before it has begun, it is one reload: a stop would have to wait for all of them.
   */
  reload(load: Load): Promise<boolean> {
    if (this.#waiting) {
      this.#waiting.load = load;
      return this.#waiting.taken;
    }
    const taken = this.#serially(async () => {
      // Most of a reload blocks the event loop: signals that have come meanwhile are seen here.
      await setImmediate();
      const latest = this.#waiting?.load ?? load;
      this.#waiting = undefined;
      if (this.#stopping.signal.aborted) return false;
      try {
        await this.#exchange(await latest());
        this.#options.logger.info({}, 'reloaded the configuration');
        return true;
      } catch (error) {
        const fields = { error: describeError(error) };
        this.#options.logger.error(fields, 'reload refused; the old configuration stays in force');
        return false;
      }
    });
    this.#waiting = { load, taken };
    return taken;
  }

  /**
   * Stops the agent and closes the sinks, within `shutdown_timeout` for all of it; twice is harmless.
   * A start or reload under way is interrupted.
   */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const deadline = new Deadline(this.#shutdownTimeout);
    // It may take longer where it waits for a collection, which the agent then hurries.
    await withDeadline(() => this.#work, deadline.until(INTERRUPTED_BY), 'a start or reload').catch(
      () => undefined,
    );
    const assembly = this.#current;
    this.#current = undefined;
    await assembly?.agent.stop(new Deadline(deadline.until(STOPPED_BY)));
    const replaced = async () => void (await this.#work);
    await this.#within(deadline.until(REPLACED_BY), 'a start or reload', replaced);
    if (!assembly) return;
    await this.#within(deadline.until(), 'closing the exporters', () => assembly.release());
  }

  async #exchange(config: AgentConfig): Promise<void> {
    const old = this.#current;
    if (!old) throw new MemWatcherError('INTERNAL', 'there is no running agent to reload');
    const next = await this.#assemble(config, old);
    try {
      await next.agent.start(this.#stopping.signal);
      this.#stopping.signal.throwIfAborted();
      refuseRegressions(old.agent.statuses, next.agent.statuses);
      // Two agents at once would report the same series from two beginnings, in turn.
      await old.agent.finish();
      this.#stopping.signal.throwIfAborted();
    } catch (error) {
      await next.agent.abandon();
      await next.release(old);
      throw error;
    }
    // The one to stop from now on: it owns the plugins of both.
    this.#current = next;
    this.#shutdownTimeout = config.shutdown_timeout;
    await next.agent.takeOver(this.#stopping.signal);
    this.#options.onConfig?.(config);
    if (!this.#stopping.signal.aborted) next.agent.schedule();
    tidy();
    await this.#leave(old, next);
  }

  /** The new configuration is in force: what goes wrong from here on is no reason to refuse it. */
  async #leave(old: Assembly, next: Assembly): Promise<void> {
    const { logger } = this.#options;
    const failed = (error: unknown) =>
      logger.error({ error: describeError(error) }, 'closing what the reload replaced failed');
    await old.agent.retire(next.agent).catch(failed);
    next.agent.announce();
    await old.release(next).catch(failed);
  }

  async #assemble(config: AgentConfig, previous?: Assembly): Promise<Assembly> {
    const { assemble, onCollection, onEvent, onSpan } = this.#options;
    const assembly = await assemble(config, previous);
    if (onCollection) assembly.agent.onCollection(onCollection);
    if (onEvent) assembly.agent.onEvent(onEvent);
    if (onSpan) assembly.agent.onSpan(onSpan);
    return assembly;
  }

  async #within(milliseconds: number, what: string, step: () => Promise<void>): Promise<void> {
    try {
      await withDeadline(step, milliseconds, what);
    } catch (error) {
      this.#options.logger.error({ error: describeError(error) }, `${what} did not end in time`);
    }
  }

  /** A reload during a start waits for its turn. */
  #serially<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#work.then(step, step);
    this.#work = result.catch(() => undefined);
    return result;
  }
}

function refuseRegressions(old: readonly PluginStatus[], next: readonly PluginStatus[]): void {
  const failed = next.filter(
    ({ plugin, state }) =>
      state === 'failed' && old.find((status) => status.plugin === plugin)?.state !== 'failed',
  );
  if (failed.length === 0) return;
  const reasons = failed.map(({ plugin, reason }) => `${plugin} would fail: ${reason}`);
  throw new MemWatcherError('CONFIG_INVALID', reasons.join('; '));
}

/** ms after a start in which what it held by weak references has gone out of use. */
const SETTLED_AFTER = 3000;

/**
 * Starting reads the kernel's types and symbols, megabytes that are garbage soon after and would
 * stay for hours in a heap that hardly grows. There is a `gc` if the launcher asked Node for it.
 */
function tidy(): void {
  setTimeout(() => globalThis.gc?.(), SETTLED_AFTER).unref();
}
