import { setImmediate } from 'node:timers/promises';
import type { Agent, Collection } from './agent.js';
import type { AgentConfig } from './config/schema.js';
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
   * after the agent has stopped.
   */
  release(successor?: Assembly): Promise<void>;
}

/** Makes an assembly; sinks whose configuration is unchanged are taken over from `previous`. */
export type Assemble = (config: AgentConfig, previous?: Assembly) => Promise<Assembly>;

type Load = () => AgentConfig | Promise<AgentConfig>;

export interface SupervisorOptions {
  readonly assemble: Assemble;
  readonly logger: Logger;
  readonly onCollection?: (collection: Collection) => void;
  readonly onEvent?: (event: EventRecord) => void;
  readonly onSpan?: (span: SpanRecord) => void;
}

/**
 * Runs one agent, and exchanges it for another when the configuration changes: the new one is built
 * and started beside the old, and takes over only if nothing that worked stops working. Whatever
 * goes wrong on the way, the old one runs on.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  #current: Assembly | undefined;
  #work: Promise<unknown> = Promise.resolve();
  /** A reload that has not begun yet. */
  #waiting: { load: Load; readonly taken: Promise<boolean> } | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get statuses(): readonly PluginStatus[] {
    return this.#current?.agent.statuses ?? [];
  }

  /** Starts, and collects once an interval until `stop`. Throws if the sinks cannot be made. */
  start(config: AgentConfig): Promise<void> {
    return this.#serially(async () => {
      const assembly = await this.#assemble(config);
      this.#current = assembly;
      await assembly.agent.start();
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

  /** Stops the agent and closes the sinks; twice is harmless. */
  stop(): Promise<void> {
    return this.#serially(async () => {
      const assembly = this.#current;
      this.#current = undefined;
      await assembly?.agent.stop();
      await assembly?.release();
    });
  }

  async #exchange(config: AgentConfig): Promise<void> {
    const old = this.#current;
    if (!old) throw new MemWatcherError('INTERNAL', 'there is no running agent to reload');
    const next = await this.#assemble(config, old);
    try {
      await next.agent.start();
      refuseRegressions(old.agent.statuses, next.agent.statuses);
    } catch (error) {
      await next.agent.stop();
      await next.release(old);
      throw error;
    }
    this.#current = next;
    // Two agents at once would tell the same series from two beginnings, in turn.
    await old.agent.finish();
    next.agent.schedule();
    tidy();
    await old.agent.stop();
    await old.release(next);
  }

  async #assemble(config: AgentConfig, previous?: Assembly): Promise<Assembly> {
    const { assemble, onCollection, onEvent, onSpan } = this.#options;
    const assembly = await assemble(config, previous);
    if (onCollection) assembly.agent.onCollection(onCollection);
    if (onEvent) assembly.agent.onEvent(onEvent);
    if (onSpan) assembly.agent.onSpan(onSpan);
    return assembly;
  }

  /** A reload during a start, or a stop during a reload, waits for its turn. */
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
