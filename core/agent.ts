/**
 * The agent: plugins on one side, sinks on the other, and a clock between them.
 *
 * Start: sinks are there already; plugins start one after the other. Stop is the reverse: no more
 * collections, a last one for the interval that was under way, plugins closed, sinks flushed. Every
 * step has a deadline, and no plugin's failure is another's.
 */
import type { BpfLoader } from './bpf/host.js';
import type { AgentConfig } from './config/schema.js';
import { withDeadline } from './deadline.js';
import { describeError } from './errors.js';
import type { Logger } from './logger.js';
import type { PluginModule, PluginStatus } from './plugin.js';
import { type PluginBuilder, type PluginCollection, PluginRunner } from './plugin-runner.js';
import { StatusVoice } from './status-voice.js';
import type { Emitter, EventRecord, SpanIds, SpanRecord } from './telemetry/events.js';
import type { PointBatch } from './telemetry/points.js';
import { type PluginSelf, statusEvent } from './telemetry/self.js';
import { newSpanIds } from './telemetry/span-ids.js';

/** Where everything goes: OTLP, the scrape endpoint, a terminal. Never blocks, never throws. */
export interface Sink {
  publish(batches: readonly PointBatch[]): void;
  event(event: EventRecord): void;
  /** False if spans have no place to go here. */
  span(span: SpanRecord): boolean;
  /** Sends what is queued; rejects if it could not within `deadlineMs`. */
  flush(deadlineMs: number): Promise<void>;
}

/** One pass over all plugins. */
export interface Collection {
  /** 1 for the first. */
  readonly number: number;
  /** Unix ms. */
  readonly time: number;
  /** Plugins that could be read; the others' statuses say why not. */
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
  readonly sinks: readonly Sink[];
  /** Makes the points about the agent itself, after each collection. */
  readonly describe?: (plugins: readonly PluginSelf[], time: number) => PointBatch;
  readonly logger: Logger;
}

export class Agent {
  readonly #options: AgentOptions;
  readonly #runners: readonly PluginRunner[];
  readonly #collectionListeners: ((collection: Collection) => void)[] = [];
  readonly #eventListeners: ((event: EventRecord) => void)[] = [];
  readonly #spanListeners: ((span: SpanRecord) => void)[] = [];
  readonly #voice = new StatusVoice((status) => this.#tell(status));
  #number = 0;
  #timer: NodeJS.Timeout | undefined;
  #inFlight: Promise<Collection> | undefined;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#runners = options.modules.map((module) => this.#runner(module));
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

  /** Starts every plugin. Resolves in any case; `statuses` say how it went. */
  async start(): Promise<void> {
    for (const runner of this.#runners) await runner.start();
  }

  /** Collects now and then once an interval, on the interval's own grid, until `stop`. */
  schedule(): void {
    const { interval } = this.#options.config;
    let due = performance.now();
    const tick = () => {
      void this.collect().catch((error: unknown) => {
        this.#options.logger.error({ error: describeError(error) }, 'a collection failed');
      });
      // A late tick (a stopped or overloaded machine) is skipped, not made up for in a burst; one
      // that a timer fired early has had its turn as well.
      const now = performance.now();
      do due += interval;
      while (due <= now);
      this.#timer = setTimeout(tick, due - now);
    };
    tick();
  }

  /** One collection, published to all sinks and told to all listeners. */
  async collect(): Promise<Collection> {
    const work = this.#collect();
    this.#inFlight = work;
    return await work;
  }

  /**
   * Ends the schedule, and takes a last collection if there was one. By itself, for a successor
   * that shares the sinks: what it says must come after all that this one says.
   */
  async finish(): Promise<void> {
    const scheduled = this.#timer !== undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#guard('the last collection', async () => {
      await this.#inFlight;
      if (scheduled) await this.collect();
    });
  }

  /** Finishes, closes plugins, flushes. */
  async stop(): Promise<void> {
    const { config, logger } = this.#options;
    await this.finish();
    for (const runner of this.#runners.toReversed()) await runner.close();
    await Promise.all(
      this.#options.sinks.map((sink) =>
        this.#guard('flushing', () => sink.flush(config.shutdown_timeout)),
      ),
    );
    logger.debug({}, 'stopped');
  }

  async #collect(): Promise<Collection> {
    const time = Date.now();
    const results = await Promise.all(this.#runners.map((runner) => runner.collect()));
    const plugins = results.filter((result) => result !== undefined);
    this.#voice.settle();
    const self = this.#options.describe?.(
      this.#runners.map((runner) => runner.describe()),
      time,
    );
    const collection = { number: ++this.#number, time, plugins, self };
    const batches = plugins.map((plugin) => plugin.batch);
    if (self) batches.push(self);
    for (const sink of this.#options.sinks) sink.publish(batches);
    for (const listener of this.#collectionListeners) listener(collection);
    return collection;
  }

  async #guard(what: string, step: () => Promise<void>): Promise<void> {
    const { config, logger } = this.#options;
    try {
      await withDeadline(step, config.shutdown_timeout, what);
    } catch (error) {
      logger.error({ error: describeError(error) }, `${what} failed`);
    }
  }

  #runner(module: PluginModule): PluginRunner {
    const { config, build, loaderFor, logger } = this.#options;
    const { name } = module.metadata;
    const slice = config.plugins[name];
    if (!slice) throw new TypeError(`no configuration for the plugin ${name}`);
    return new PluginRunner({
      module,
      config: slice,
      build,
      loader: loaderFor(name),
      emitter: this.#emitter(module),
      logger: logger.child({ plugin: name }),
      onStatus: (status) => this.#voice.changed(status),
      reportedElsewhere: (metric) => this.#reportedBefore(module, metric),
      deadline: config.shutdown_timeout,
    });
  }

  /**
   * By a plugin earlier in the list, see `Metrics`. One that failed reports nothing; as plugins
   * start in this order, that is known before a later one is built.
   */
  #reportedBefore(module: PluginModule, metric: string): boolean {
    const before = this.#runners.slice(0, this.#options.modules.indexOf(module));
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

  #emitter(module: PluginModule): Emitter {
    const { name: plugin, events } = module.metadata;
    return {
      event: (event, body, attributes, options = {}) => {
        const severity = options.severity ?? events[event]?.severity ?? 'INFO';
        const time = options.time ?? Date.now();
        this.#event({ plugin, event, time, severity, attributes, body });
      },
      span: (name, span) => this.#span({ plugin, ids: newSpanIds(), name, ...span }),
    };
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
