import type { BpfLoader, LoadedBpf, LoadOptions } from './bpf/host.js';
import type { PluginConfig } from './config/schema.js';
import { withDeadline } from './deadline.js';
import { describeError, MemWatcherError } from './errors.js';
import type { Logger } from './logger.js';
import type { Metrics, Plugin, PluginModule, PluginStatus } from './plugin.js';
import { Scope } from './scope.js';
import { StatusKeeper } from './status.js';
import type { Emitter } from './telemetry/events.js';
import { type PointBatch, PointBatchBuilder } from './telemetry/points.js';
import { joinBpf, type PluginSelf, readBpf } from './telemetry/self.js';

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

export interface RunnerOptions {
  readonly module: PluginModule;
  readonly config: PluginConfig;
  readonly build: PluginBuilder;
  readonly loader: BpfLoader;
  readonly emitter: Emitter;
  readonly logger: Logger;
  readonly onStatus: (status: PluginStatus) => void;
  /** Whether another plugin that runs reports this metric. */
  readonly reportedElsewhere?: (metric: string) => boolean;
  /** Bound on start, on one collection, and on close; milliseconds. */
  readonly deadline: number;
}

/** One plugin's part in one collection. */
export interface PluginCollection {
  readonly name: string;
  readonly records: unknown;
  readonly batch: PointBatch;
  readonly durationMs: number;
}

/**
 * One plugin's life: built, started, asked for snapshots, closed. Nothing that it throws gets past
 * here: it becomes the plugin's status.
 */
export class PluginRunner {
  readonly name: string;
  readonly #options: RunnerOptions;
  readonly #scope = new Scope();
  readonly #status: StatusKeeper;
  #plugin: Plugin | undefined;
  /** By object, '' being its own; those that the plugin has closed leave. */
  readonly #loaded = new Map<string, LoadedBpf>();
  #startTime = 0;
  #busy = false;
  #collections = 0;
  /** Threw, or were skipped because the one before had not ended. */
  #missedCollections = 0;
  #lastDurationMs: number | undefined;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.name = options.module.metadata.name;
    this.#status = new StatusKeeper(this.name, options.onStatus);
  }

  get status(): PluginStatus {
    return this.#status.current;
  }

  /** Whether it reports this metric: see `Metrics`. */
  readonly isOn = (metric: string): boolean => {
    const { module, config, reportedElsewhere } = this.#options;
    const spec = module.metadata.metrics[metric];
    if (spec === undefined || reportedElsewhere?.(metric) === true) return false;
    return config.metrics[metric] ?? spec.enabled !== false;
  };

  /** What the agent tells of this plugin. Asks the kernel, so once a collection is enough. */
  describe(): PluginSelf {
    return {
      status: this.status,
      collections: this.#collections,
      missedCollections: this.#missedCollections,
      lastDurationMs: this.#lastDurationMs,
      bpf: this.#describeBpf(),
      decodeErrors: this.#status.decodeErrorCount,
      cgroupsGone: this.#status.cgroupsGoneCount,
    };
  }

  /** Resolves in any case; the status says how it went. */
  async start(): Promise<void> {
    const { module, config, build, emitter, logger, deadline } = this.#options;
    try {
      const plugin = build(module, {
        scope: this.#scope,
        config: config.options,
        logger,
        emitter,
        loader: { load: (options) => this.#load(options) },
        health: this.#status,
        metrics: { isOn: this.isOn },
      });
      await withDeadline(() => plugin.start(), deadline, `starting ${this.name}`);
      this.#startTime = Date.now();
      this.#plugin = plugin;
      this.#status.running();
    } catch (error) {
      this.#status.failed(reasonOf(error));
      await this.#release();
    }
  }

  /** One snapshot; undefined if the plugin does not run or could not read. */
  async collect(): Promise<PluginCollection | undefined> {
    const plugin = this.#plugin;
    if (!plugin) return undefined;
    if (this.#busy) {
      this.#missedCollections++;
      this.#status.degraded('collect', 'the previous collection has not ended yet');
      return undefined;
    }
    this.#busy = true;
    try {
      const collection = await this.#snapshot(plugin);
      this.#collections++;
      this.#lastDurationMs = collection.durationMs;
      this.#status.clear('collect');
      return collection;
    } catch (error) {
      this.#missedCollections++;
      this.#status.degraded('collect', `collecting failed: ${reasonOf(error)}`);
      return undefined;
    } finally {
      this.#busy = false;
    }
  }

  /** Detaches and frees. Resolves in any case; twice is harmless. */
  async close(): Promise<void> {
    this.#plugin = undefined;
    await this.#release();
    if (this.status.state !== 'failed') this.#status.stopped();
  }

  async #snapshot(plugin: Plugin): Promise<PluginCollection> {
    const { module } = this.#options;
    const began = performance.now();
    const time = Date.now();
    const records = await plugin.collect();
    const builder = new PointBatchBuilder(module.metadata, this.isOn);
    module.report(records, builder);
    const batch = builder.build(time, this.#startTime);
    return { name: this.name, records, batch, durationMs: performance.now() - began };
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

  async #release(): Promise<void> {
    this.#loaded.clear();
    try {
      await withDeadline(() => this.#scope.close(), this.#options.deadline, `closing ${this.name}`);
    } catch (error) {
      this.#options.logger.error({ error: describeError(error) }, 'closing the plugin failed');
    }
  }
}

/** A status is read where a stack trace cannot be: one paragraph, the evidence included. */
function reasonOf(error: unknown): string {
  const parts = [describeError(error)];
  if (error instanceof MemWatcherError) {
    if (error.detail) parts.push(error.detail);
    if (error.hint) parts.push(error.hint);
  }
  return parts.join('; ');
}
