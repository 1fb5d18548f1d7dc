import type { BpfLoader, LoadedBpf, LoadOptions } from './bpf/host.js';
import type { PluginConfig } from './config/schema.js';
import { withDeadline } from './deadline.js';
import { describeError, MemWatcherError } from './errors.js';
import { EventWindow } from './event-window.js';
import { steadyNow } from './identity/boot-moment.js';
import type { Logger } from './logger.js';
import { PatientReader } from './patient-reader.js';
import type { Metrics, Plugin, PluginModule, PluginStatus } from './plugin.js';
import { Scope } from './scope.js';
import { StatusKeeper } from './status.js';
import { Baseline, gained, type Unsent } from './telemetry/baseline.js';
import type { Emitter, EventRecord, SpanIds, SpanRecord } from './telemetry/events.js';
import { type PointBatch, PointBatchBuilder } from './telemetry/points.js';
import { joinBpf, type PluginSelf, readBpf } from './telemetry/self.js';
import { newSpanIds } from './telemetry/span-ids.js';

/** What the composition root binds in a plugin's child container. */
export interface PluginBindings {
  readonly scope: Scope;
  readonly config: Readonly<Record<string, unknown>>;
  readonly logger: Logger;
  readonly loader: BpfLoader;
  readonly emitter: Emitter;
  readonly health: StatusKeeper;
  readonly metrics: Metrics;
}

export type PluginBuilder = (module: PluginModule, bindings: PluginBindings) => Plugin;

/** The agent that a runner works for: an agent that follows another takes its runners over. */
export interface RunnerPort {
  event(event: EventRecord): void;
  /** Undefined if nobody takes spans. */
  span(span: SpanRecord): SpanIds | undefined;
  status(status: PluginStatus): void;
  /** Whether another plugin that runs reports this metric. */
  reportedElsewhere(plugin: string, metric: string): boolean;
}

export interface RunnerOptions {
  readonly module: PluginModule;
  readonly config: PluginConfig;
  readonly build: PluginBuilder;
  readonly loader: BpfLoader;
  readonly port: RunnerPort;
  readonly logger: Logger;
  /** It is tried, perhaps beside another instance: it reports nothing before `takeOver`. */
  readonly onTrial?: boolean;
}

/** One plugin's part in one collection. */
export interface PluginCollection {
  readonly name: string;
  readonly records: unknown;
  readonly batch: PointBatch;
  readonly durationMs: number;
}

/** How often both instances are read at a handover, until nothing comes in between. */
const HANDOVER_READINGS = 5;

/**
 * One plugin's life: built, started, asked for snapshots, closed. Nothing that it throws gets past
 * here: it becomes the plugin's status. It outlives the agent that made it, if the next one runs the
 * same plugin with the same configuration.
 */
export class PluginRunner {
  readonly name: string;
  readonly #options: Omit<RunnerOptions, 'port'>;
  readonly #scope = new Scope();
  readonly #status: StatusKeeper;
  readonly #window: EventWindow;
  #port: RunnerPort;
  /** Its changes of status are the agent's to report. */
  #reportsStatus: boolean;
  #plugin: Plugin | undefined;
  #reader: PatientReader<PluginCollection> | undefined;
  /** By object, '' being its own; those that the plugin has closed leave. */
  readonly #loaded = new Map<string, LoadedBpf>();
  #startTime: number | undefined;
  #baseline: Baseline | undefined;
  /** It took over, and could not yet read what it had counted up to then. */
  #needsBaseline = false;
  /** Its predecessor's. */
  #unsent: Unsent | undefined;
  /** The last that was collected. */
  #collected: PointBatch | undefined;
  #collections = 0;
  /** Failed, or had not ended in time. */
  #missedCollections = 0;
  #lastDurationMs: number | undefined;

  constructor({ port, ...options }: RunnerOptions) {
    const { module, onTrial = false } = options;
    this.#options = options;
    this.#port = port;
    this.#reportsStatus = !onTrial;
    this.#window = onTrial ? EventWindow.closed() : EventWindow.open();
    this.name = module.metadata.name;
    this.#status = new StatusKeeper(this.name, (status) => {
      if (this.#reportsStatus) this.#port.status(status);
    });
  }

  get status(): PluginStatus {
    return this.#status.current;
  }

  /** Whether it reports this metric: see `Metrics`. */
  readonly isOn = (metric: string): boolean => {
    const { module, config } = this.#options;
    const spec = module.metadata.metrics[metric];
    if (spec === undefined || this.#port.reportedElsewhere(this.name, metric)) return false;
    return config.metrics[metric] ?? spec.enabled !== false;
  };

  /** What the agent tells of this plugin. Asks the kernel, so once a collection is enough. */
  describe(): PluginSelf {
    return {
      status: this.status,
      startTime: this.#startTime,
      collections: this.#collections,
      missedCollections: this.#missedCollections,
      lastDurationMs: this.#lastDurationMs,
      bpf: this.#describeBpf(),
      decodeErrors: this.#status.decodeErrorCount,
      cgroupsGone: this.#status.cgroupsGoneCount,
    };
  }

  /** Within `milliseconds`, or until `signal` aborts. Resolves in any case; the status says how it went. */
  async start(milliseconds: number, signal?: AbortSignal): Promise<void> {
    const { module, config, build, logger } = this.#options;
    try {
      const plugin = build(module, {
        scope: this.#scope,
        config: config.options,
        logger,
        emitter: this.#emitter(),
        loader: { load: (options) => this.#load(options) },
        health: this.#status,
        metrics: { isOn: this.isOn },
      });
      const start = async () => {
        await plugin.start();
        if (!this.#options.onTrial) await plugin.takeOver?.();
      };
      await withDeadline(start, milliseconds, `starting ${this.name}`, signal);
      this.#startTime = steadyNow();
      this.#plugin = plugin;
      this.#reader = new PatientReader(() => this.#snapshot(plugin));
      this.#status.running();
    } catch (error) {
      this.#status.failed(reasonOf(error));
      await this.#release(milliseconds, signal);
    }
  }

  /** Resolves in any case. */
  async lookCloser(): Promise<void> {
    try {
      await this.#plugin?.lookCloser?.();
    } catch (error) {
      this.#status.degraded('look', reasonOf(error));
    }
  }

  /** Works for another agent from now on. */
  attach(port: RunnerPort): void {
    this.#port = port;
  }

  /**
   * The trial is over: what happens from now on is its own to report, and what it has seen before is
   * its predecessor's. Its status is reported by `announce`. If nothing could be read within
   * `milliseconds`, or before `signal` aborts, its first collection says what it had counted.
   */
  async takeOver(
    predecessor: PluginRunner | undefined,
    milliseconds: number,
    signal?: AbortSignal,
  ): Promise<void> {
    this.#settle();
    const now = Date.now();
    this.#window.openFrom(now);
    if (predecessor) {
      predecessor.#leave(now);
      await predecessor.#hand('handing over', (old) => old.handOver?.(), milliseconds);
    }
    await this.#hand('taking over', (plugin) => plugin.takeOver?.(), milliseconds);
    if (!predecessor || !this.#reader || predecessor.status.state === 'failed') return;
    this.#needsBaseline = true;
    await this.#readBoth(predecessor, milliseconds, signal);
  }

  /**
   * Both count the same, and cannot be read at one moment. So the predecessor is read between two
   * readings of this one, and again if this one counted anything in between. Of counters that never
   * rest, what came after the last reading of the predecessor is in neither.
   */
  async #readBoth(
    predecessor: PluginRunner,
    milliseconds: number,
    signal?: AbortSignal,
  ): Promise<void> {
    let before = await this.#read(milliseconds, signal);
    let after: PointBatch | undefined;
    for (let n = 0; n < HANDOVER_READINGS; n++) {
      this.#unsent = await predecessor.#readUnsent(milliseconds, signal);
      after = await this.#read(milliseconds, signal);
      if (!before || !after || gained(before, after).length === 0) break;
      before = after;
    }
    this.#startTime = this.#unsent?.since ?? steadyNow();
    if (after) this.#withoutTrial(after);
  }

  /** What it counts now; undefined if nothing can be read in time. */
  async #read(milliseconds: number, signal?: AbortSignal): Promise<PointBatch | undefined> {
    const taken = await this.#reader?.take(milliseconds, signal);
    return taken?.kind === 'read' ? taken.value.batch : undefined;
  }

  /** Its predecessor is closed: reports its status, and every change from now on. */
  announce(): void {
    if (this.#reportsStatus) return;
    this.#reportsStatus = true;
    this.#port.status({ ...this.status, since: Date.now() });
  }

  /**
   * One snapshot within `milliseconds`, or until `hurry` aborts; undefined if the plugin does not
   * run or could not read.
   */
  async collect(milliseconds: number, hurry?: AbortSignal): Promise<PluginCollection | undefined> {
    const taken = await this.#reader?.take(milliseconds, hurry);
    if (!taken || !this.#plugin) return undefined;
    if (taken.kind === 'failed') {
      this.#missedCollections++;
      this.#status.degraded('collect', `collecting failed: ${reasonOf(taken.error)}`);
      return undefined;
    }
    const isLate = taken.kind === 'late' || taken.previous;
    if (isLate) {
      const seconds = Math.round(milliseconds) / 1000;
      this.#status.degraded('collect', `collecting took longer than ${seconds} s`);
    } else {
      this.#status.clear('collect');
    }
    if (taken.kind === 'late') {
      this.#missedCollections++;
      return undefined;
    }
    this.#collections++;
    this.#lastDurationMs = taken.value.durationMs;
    this.#collected = this.#withoutTrial(taken.value.batch);
    return { ...taken.value, batch: this.#collected };
  }

  /** Without what it had counted when it took over. */
  #withoutTrial(batch: PointBatch): PointBatch {
    if (this.#needsBaseline) {
      const at = this.#startTime ?? steadyNow();
      this.#baseline = new Baseline(batch, at, this.#unsent?.metrics);
      this.#needsBaseline = false;
      this.#unsent = undefined;
    }
    return this.#baseline?.subtractFrom(batch) ?? batch;
  }

  /** Detaches and frees, within `milliseconds`. Resolves in any case; twice is harmless. */
  async close(milliseconds: number): Promise<void> {
    this.#plugin = undefined;
    await this.#release(milliseconds);
    if (this.status.state !== 'failed') this.#status.stopped();
  }

  /** What it has counted since its last collection; undefined if nothing can be read in time. */
  async #readUnsent(milliseconds: number, signal?: AbortSignal): Promise<Unsent | undefined> {
    const last = this.#collected;
    const read = last && (await this.#read(milliseconds, signal));
    if (!last || !read) return undefined;
    const now = this.#withoutTrial(read);
    return { since: last.steadyTime, metrics: gained(last, now) };
  }

  /** What happens from `time` on is a successor's to report. */
  #leave(time: number): void {
    this.#settle();
    this.#window.closeAt(time);
  }

  /** The state that outlives an instance: without it the successor begins anew. */
  async #hand(
    what: string,
    step: (plugin: Plugin) => void | Promise<void>,
    milliseconds: number,
  ): Promise<void> {
    const plugin = this.#plugin;
    if (!plugin) return;
    try {
      await withDeadline(() => step(plugin), milliseconds, `${what} ${this.name}`);
    } catch (error) {
      this.#options.logger.warn({ error: describeError(error) }, `${what} failed`);
    }
  }

  /** Between collections nobody catches an error. */
  #settle(): void {
    try {
      this.#plugin?.settle?.();
    } catch (error) {
      this.#status.degraded('settle', `what waited could not be reported: ${reasonOf(error)}`);
    }
  }

  async #snapshot(plugin: Plugin): Promise<PluginCollection> {
    const { module } = this.#options;
    const began = performance.now();
    const [time, steadyTime] = [Date.now(), steadyNow()];
    const records = await plugin.collect();
    const builder = new PointBatchBuilder(module.metadata, this.isOn);
    module.report(records, builder);
    const batch = builder.build(time, this.#startTime ?? steadyTime, steadyTime);
    return { name: this.name, records, batch, durationMs: performance.now() - began };
  }

  #emitter(): Emitter {
    const { name: plugin, events } = this.#options.module.metadata;
    return {
      event: (event, body, attributes, options = {}) => {
        const severity = options.severity ?? events[event]?.severity ?? 'INFO';
        const time = options.time ?? Date.now();
        if (!this.#window.has(time)) return;
        this.#port.event({ plugin, event, time, severity, attributes, body });
      },
      span: (name, span) =>
        this.#window.has(span.endTime)
          ? this.#port.span({ plugin, ids: newSpanIds(), name, ...span })
          : undefined,
    };
  }

  /** A closed or refused object costs its own figures, not the collection. */
  #describeBpf(): PluginSelf['bpf'] {
    const read = [...this.#loaded].flatMap(([object, loaded]) => {
      try {
        return [readBpf(loaded, this.#status.fullnessOf(object))];
      } catch (error) {
        this.#options.logger.debug({ error: describeError(error) }, 'no figures of the BPF object');
        return [];
      }
    });
    return joinBpf(read);
  }

  #load(options: LoadOptions = {}): LoadedBpf {
    const { object } = options;
    const { name, objects = [] } = this.#options.module.metadata;
    if (object !== undefined && !objects.includes(object)) {
      throw new MemWatcherError('INTERNAL', `${name} has no object ${object}`, {
        hint: 'name it in `objects` of its metadata',
      });
    }
    const key = object ?? '';
    const loaded = this.#options.loader.load(options);
    this.#status.usesStrategy(loaded.strategy, loaded.lacks, key);
    const kept: LoadedBpf = {
      ...loaded,
      close: () => {
        if (this.#loaded.get(key) === kept) this.#loaded.delete(key);
        return loaded.close();
      },
    };
    this.#loaded.set(key, kept);
    return kept;
  }

  async #release(milliseconds: number, signal?: AbortSignal): Promise<void> {
    this.#loaded.clear();
    try {
      const close = () => this.#scope.close();
      await withDeadline(close, milliseconds, `closing ${this.name}`, signal);
    } catch (error) {
      this.#options.logger.error({ error: describeError(error) }, 'closing the plugin failed');
    }
  }
}

/** What failed and what to do, in the first line; the evidence below it. */
function reasonOf(error: unknown): string {
  const { detail, hint } = error instanceof MemWatcherError ? error : {};
  const sentence = [describeError(error), hint].filter((text) => text).join('; ');
  return detail ? `${sentence}\n${detail}` : sentence;
}
