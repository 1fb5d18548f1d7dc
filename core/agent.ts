/**
 * The agent: plugins on one side, sinks on the other, and a clock between them.
 *
 * Start: sinks are there already; plugins start one after the other. A collection asks all plugins
 * at once, waits for each up to a deadline, and is published before the next one begins. Stop is the
 * reverse of start: no more collections, a last one for the interval that was under way, plugins
 * closed, sinks flushed, all within one deadline. No plugin's failure is another's.
 *
 * An agent can follow another (a reload). It runs on the plugins whose configuration is unchanged,
 * and starts the others beside those of its predecessor, on trial. `takeOver` makes it the one that
 * collects and reports; until then the predecessor is, and an agent that is abandoned leaves no trace.
 */
import { isDeepStrictEqual } from 'node:util';
import type { BpfLoader } from './bpf/host.js';
import type { AgentConfig, PluginConfig } from './config/schema.js';
import { Deadline, withDeadline } from './deadline.js';
import { describeError } from './errors.js';
import { steadyNow } from './identity/boot-moment.js';
import type { Logger } from './logger.js';
import type { PluginModule, PluginStatus } from './plugin.js';
import {
  type PluginBuilder,
  type PluginCollection,
  PluginRunner,
  type RunnerPort,
} from './plugin-runner.js';
import { StatusVoice } from './status-voice.js';
import type { EventRecord, SpanIds, SpanRecord } from './telemetry/events.js';
import type { PointBatch } from './telemetry/points.js';
import { type PluginSelf, statusEvent } from './telemetry/self.js';
import { selfMetadata } from './telemetry/self.metadata.js';

/** Where everything goes: OTLP, the scrape endpoint, a terminal. Never blocks, never throws. */
export interface Sink {
  publish(batches: readonly PointBatch[]): void;
  event(event: EventRecord): void;
  /** False if spans have no place to go here. */
  span(span: SpanRecord): boolean;
  /**
   * After a reload, of a sink that is new or goes on: these are the ones that publish from now on.
   * `since`: when the last collection of the agent before was taken, Unix ms by the steady clock.
   */
  takeOver?(scopes: readonly string[], since: number): void;
  /** Sends what is queued; rejects if it could not within `deadlineMs`. */
  flush(deadlineMs: number): Promise<void>;
}

/** One pass over all plugins. */
export interface Collection {
  /** 1 for the first; counted on over reloads. */
  readonly number: number;
  /** Unix ms. */
  readonly time: number;
  /** Plugins that could be read in time; the others' statuses say why not. */
  readonly plugins: readonly PluginCollection[];
  /** What the agent says of itself, if it was asked to. */
  readonly self: PointBatch | undefined;
}

export interface AgentOptions {
  readonly config: AgentConfig;
  /** Those that are enabled in `config`. */
  readonly modules: readonly PluginModule[];
  readonly build: PluginBuilder;
  readonly loaderFor: (plugin: string) => BpfLoader;
  /** What else than its part of `config` decides how a plugin runs: the files that it is loaded by. */
  readonly dependencies?: (module: PluginModule) => unknown;
  readonly sinks: readonly Sink[];
  /** Makes the points about the agent itself, after each collection. */
  readonly describe?: (plugins: readonly PluginSelf[], time: number) => PointBatch;
  readonly logger: Logger;
  /** The agent that this one will take over from. */
  readonly previous?: Agent | undefined;
}

/** Of the interval: how long a scheduled collection waits for a plugin, unless configured. */
const PATIENCE = 0.8;
/** ms: how long one that somebody asked for does, at least. */
const PATIENCE_ASKED = 10_000;
/** Shares of the time for the last collection, which the one under way has to leave it. */
const UNDER_WAY_BY = 0.5;
const LAST_BY = 0.9;
/** Shares of the deadline of a stop that are used up after the last collection, closing, flushing. */
const COLLECTED_BY = 0.25;
const CLOSED_BY = 0.5;
const FLUSHED_BY = 0.9;

/** A plugin, and all that it was started with. */
interface Running {
  readonly runner: PluginRunner;
  readonly config: PluginConfig;
  readonly dependencies: unknown;
}

export class Agent {
  readonly #options: Omit<AgentOptions, 'previous'>;
  /** Until this agent has taken over. */
  #previous: Agent | undefined;
  readonly #plugins: readonly Running[];
  /** To be closed by this agent. */
  readonly #own: Set<PluginRunner>;
  readonly #port: RunnerPort;
  readonly #voice: StatusVoice;
  readonly #collectionListeners: ((collection: Collection) => void)[] = [];
  readonly #eventListeners: ((event: EventRecord) => void)[] = [];
  readonly #spanListeners: ((span: SpanRecord) => void)[] = [];
  /** Plugins that went on when it took over. */
  #kept: readonly PluginRunner[] = [];
  /** Those that the agent before did not have. */
  #newSinks: readonly Sink[] = [];
  #number = 0;
  /** When the last collection began, Unix ms by the steady clock. */
  #collectedAt = steadyNow();
  #timer: NodeJS.Timeout | undefined;
  /** The collection that was begun last: one at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #pending = 0;
  /** Ends the wait for plugins in the collection under way. */
  readonly #hurry = new AbortController();
  /** The same of the last collection. */
  readonly #hurryLast = new AbortController();
  /** What happens is this agent's to collect. */
  #isInCharge = false;
  #lastCollection: Promise<void> | undefined;
  #finished = false;

  constructor({ previous, ...options }: AgentOptions) {
    const { modules } = options;
    this.#options = options;
    this.#previous = previous;
    this.#voice = previous
      ? previous.#voice.handOver((status) => this.#tell(status))
      : new StatusVoice((status) => this.#tell(status));
    this.#port = {
      event: (event) => this.#event(event),
      span: (span) => this.#span(span),
      status: (status) => this.#voice.changed(status),
      reportedElsewhere: (plugin, metric) => this.#reportedBefore(plugin, metric),
    };
    this.#plugins = modules.map((module) => this.#unchanged(module) ?? this.#new(module));
    const kept = previous ? previous.#runners : [];
    this.#own = new Set(this.#runners.filter((runner) => !kept.includes(runner)));
  }

  get statuses(): readonly PluginStatus[] {
    return this.#runners.map((runner) => runner.status);
  }

  onCollection(listener: (collection: Collection) => void): void {
    this.#collectionListeners.push(listener);
  }

  onEvent(listener: (event: EventRecord) => void): void {
    this.#eventListeners.push(listener);
  }

  /** Someone who listens takes spans, as a sink does. */
  onSpan(listener: (span: SpanRecord) => void): void {
    this.#spanListeners.push(listener);
  }

  /**
   * Starts every plugin that does not run yet. Resolves in any case; `statuses` say how it went.
   * After `signal` has aborted, nothing more is started.
   */
  async start(signal?: AbortSignal): Promise<void> {
    const { start_timeout } = this.#options.config;
    for (const runner of this.#own) {
      if (signal?.aborted) return;
      await runner.start(start_timeout, signal);
    }
  }

  /** Collects now and then once an interval, on the interval's own grid, until `stop`. */
  schedule(): void {
    const { interval } = this.#options.config;
    this.#isInCharge = true;
    let due = performance.now();
    const tick = () => {
      // Only a collection that was given longer than an interval can still be under way.
      if (this.#pending === 0) void this.#collectOnSchedule();
      // A late tick (a stopped or overloaded machine) is skipped, not made up for in a burst; one
      // that a timer fired early has had its turn as well.
      const now = performance.now();
      do due += interval;
      while (due <= now);
      this.#timer = setTimeout(tick, due - now);
    };
    tick();
  }

  /**
   * One collection, published to all sinks and told to all listeners, after the one under way. Who
   * asks for it waits longer for a plugin than a schedule can.
   */
  collect(): Promise<Collection> {
    const { interval, collect_timeout } = this.#options.config;
    const patience = collect_timeout ?? Math.max(interval, PATIENCE_ASKED);
    return this.#inTurn(patience, this.#hurry.signal);
  }

  /** Before a command's last collection: what plugins do not do all the time. */
  async lookCloser(): Promise<void> {
    await Promise.all(this.#runners.map((runner) => runner.lookCloser()));
  }

  /**
   * Takes over from the agent before, which has finished: all that happens from now on is this
   * agent's to collect and report, and the plugins that both run are its own. After `signal` has
   * aborted, it waits for no plugin.
   */
  async takeOver(signal?: AbortSignal): Promise<void> {
    const previous = this.#previous;
    if (!previous) return;
    this.#previous = undefined;
    this.#isInCharge = true;
    this.#number = previous.#number;
    const { sinks } = this.#options;
    this.#newSinks = sinks.filter((sink) => !previous.#options.sinks.includes(sink));
    const scopes = [...this.#runners.map(({ name }) => name), selfMetadata.name];
    for (const sink of sinks) sink.takeOver?.(scopes, previous.#collectedAt);
    this.#kept = this.#runners.filter((runner) => !this.#own.has(runner));
    const handed = new Map(previous.#runners.map((runner) => [runner.name, runner]));
    const fresh = [...this.#own];
    for (const runner of this.#runners) {
      if (this.#own.has(runner)) continue;
      previous.#own.delete(runner);
      this.#own.add(runner);
      runner.attach(this.#port);
    }
    const patience = this.#patience;
    await Promise.all(
      fresh.map((runner) => runner.takeOver(handed.get(runner.name), patience, signal)),
    );
  }

  /**
   * Reports the statuses of plugins that were started on trial, once those before are stopped; and
   * to a new sink those of the plugins that went on.
   */
  announce(): void {
    for (const runner of this.#runners) runner.announce();
    const kept = this.#kept.map(({ status }) => statusEvent(status));
    for (const sink of this.#newSinks) for (const event of kept) sink.event(event);
  }

  /**
   * Ends the schedule, and takes a last collection if collecting was this agent's. Nothing is
   * published after it, so that a successor's collections follow all of this agent's. Called again,
   * it waits for the same collection, which has to end by the earlier of the deadlines.
   */
  async finish(milliseconds = 3 * this.#patience): Promise<void> {
    const deadline = new Deadline(milliseconds);
    const timers = [
      setTimeout(() => this.#hurry.abort(), deadline.until(UNDER_WAY_BY)),
      setTimeout(() => this.#hurryLast.abort(), deadline.until(LAST_BY)),
    ];
    this.#lastCollection ??= this.#collectLast();
    const last = this.#lastCollection;
    await this.#guard('the last collection', milliseconds, () => last);
    for (const timer of timers) clearTimeout(timer);
    this.#finished = true;
  }

  /** Finishes, closes plugins, flushes: within one deadline, of which each has its share. */
  async stop(deadline = new Deadline(this.#options.config.shutdown_timeout)): Promise<void> {
    await this.finish(deadline.until(COLLECTED_BY));
    await this.#close(deadline.until(CLOSED_BY));
    await this.#flush(this.#options.sinks, deadline.until(FLUSHED_BY));
    this.#options.logger.debug({}, 'stopped');
  }

  /** After a successor has taken over: closes the plugins and flushes the sinks that it has not. */
  async retire(successor: Agent): Promise<void> {
    const deadline = new Deadline(this.#options.config.shutdown_timeout);
    await this.#close(deadline.until(CLOSED_BY));
    const taken = successor.#options.sinks;
    const left = this.#options.sinks.filter((sink) => !taken.includes(sink));
    await this.#flush(left, deadline.until(FLUSHED_BY));
  }

  /** Instead of `takeOver`: closes what was started on trial. */
  abandon(): Promise<void> {
    this.#finished = true;
    this.#previous = undefined;
    return this.#close(this.#options.config.shutdown_timeout);
  }

  get #runners(): readonly PluginRunner[] {
    return this.#plugins.map(({ runner }) => runner);
  }

  /** ms: of a scheduled collection. */
  get #patience(): number {
    const { interval, collect_timeout } = this.#options.config;
    return collect_timeout ?? PATIENCE * interval;
  }

  async #collectOnSchedule(): Promise<void> {
    try {
      await this.#inTurn(this.#patience, this.#hurry.signal);
    } catch (error) {
      this.#options.logger.error({ error: describeError(error) }, 'a collection failed');
    }
  }

  async #collectLast(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#last;
    if (this.#isInCharge) await this.#inTurn(this.#patience, this.#hurryLast.signal);
  }

  #inTurn(milliseconds: number, hurry?: AbortSignal): Promise<Collection> {
    this.#pending++;
    const collection = this.#last
      .then(() => this.#collect(milliseconds, hurry))
      .finally(() => this.#pending--);
    const over = () => undefined;
    this.#last = collection.then(over, over);
    return collection;
  }

  async #collect(milliseconds: number, hurry?: AbortSignal): Promise<Collection> {
    const time = Date.now();
    this.#collectedAt = steadyNow();
    const results = await Promise.all(
      this.#runners.map((runner) => runner.collect(milliseconds, hurry)),
    );
    const plugins = results.filter((result) => result !== undefined);
    this.#voice.settle();
    const self = this.#options.describe?.(
      this.#runners.map((runner) => runner.describe()),
      time,
    );
    const collection = { number: this.#number + 1, time, plugins, self };
    if (!this.#finished) this.#publish(collection);
    return collection;
  }

  #publish(collection: Collection): void {
    this.#number = collection.number;
    const batches = collection.plugins.map((plugin) => plugin.batch);
    if (collection.self) batches.push(collection.self);
    for (const sink of this.#options.sinks) sink.publish(batches);
    for (const listener of this.#collectionListeners) listener(collection);
  }

  /** All at once: they are independent, and one that hangs must not use up the time of the others. */
  async #close(milliseconds: number): Promise<void> {
    const newestFirst = this.#runners.toReversed().filter((runner) => this.#own.has(runner));
    await Promise.all(newestFirst.map((runner) => runner.close(milliseconds)));
  }

  async #flush(sinks: readonly Sink[], milliseconds: number): Promise<void> {
    await Promise.all(
      sinks.map((sink) => this.#guard('flushing', milliseconds, () => sink.flush(milliseconds))),
    );
  }

  async #guard(what: string, milliseconds: number, step: () => Promise<void>): Promise<void> {
    try {
      await withDeadline(step, milliseconds, what);
    } catch (error) {
      this.#options.logger.error({ error: describeError(error) }, `${what} failed`);
    }
  }

  /** The plugin as the agent before runs it, if this agent would start it the same way. */
  #unchanged(module: PluginModule): Running | undefined {
    const { dependencies } = this.#options;
    const before = this.#previous ? this.#previous.#plugins : [];
    const running = before.find(({ runner }) => runner.name === module.metadata.name);
    // One that failed is tried again.
    if (!running || running.runner.status.state === 'failed') return undefined;
    const isSame =
      isDeepStrictEqual(running.config, this.#configOf(module)) &&
      isDeepStrictEqual(running.dependencies, dependencies?.(module));
    return isSame ? running : undefined;
  }

  #new(module: PluginModule): Running {
    const { build, loaderFor, dependencies, logger } = this.#options;
    const { name } = module.metadata;
    const config = this.#configOf(module);
    const runner = new PluginRunner({
      module,
      config,
      build,
      loader: loaderFor(name),
      port: this.#port,
      logger: logger.child({ plugin: name }),
      onTrial: this.#previous !== undefined,
    });
    return { runner, config, dependencies: dependencies?.(module) };
  }

  #configOf({ metadata: { name } }: PluginModule): PluginConfig {
    const config = this.#options.config.plugins[name];
    if (!config) throw new TypeError(`no configuration for the plugin ${name}`);
    return config;
  }

  /**
   * By a plugin earlier in the list, see `Metrics`. One that failed reports nothing; as plugins
   * start in this order, that is known before a later one is built.
   */
  #reportedBefore(plugin: string, metric: string): boolean {
    const runners = this.#runners;
    const before = runners.slice(
      0,
      runners.findIndex(({ name }) => name === plugin),
    );
    return before.some(({ status, isOn }) => status.state !== 'failed' && isOn(metric));
  }

  #tell(status: PluginStatus): void {
    const { logger } = this.#options;
    const { plugin, state, strategy, reason, lacks } = status;
    const fields = { plugin, state, strategy, reason, ...(lacks.length > 0 && { lacks }) };
    // On the way up there is nothing to tell yet but the strategy, which comes again with `ok`.
    if (state === 'starting') {
      logger.debug(fields, `${plugin} is starting`);
      return;
    }
    if (state === 'failed') logger.error(fields, `${plugin} failed`);
    else if (state === 'degraded') logger.warn(fields, `${plugin} is degraded`);
    else logger.info(fields, `${plugin} is ${state}`);
    this.#event(statusEvent(status));
  }

  #span(span: SpanRecord): SpanIds | undefined {
    const taken = this.#options.sinks.map((sink) => sink.span(span));
    for (const listener of this.#spanListeners) listener(span);
    return taken.includes(true) || this.#spanListeners.length > 0 ? span.ids : undefined;
  }

  #event(event: EventRecord): void {
    for (const sink of this.#options.sinks) sink.event(event);
    for (const listener of this.#eventListeners) listener(event);
  }
}
