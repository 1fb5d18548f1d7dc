/**
 * A plugin on the running kernel, for tests: built by the container as the agent builds it, loaded
 * by the strategies that the kernel can do, with what it emits kept.
 */
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BpfLoader, LoadedBpf, LoadOptions } from '../../core/bpf/host.js';
import { createBpfHost } from '../../core/bpf/libbpf.js';
import { agentSchema, toAgentConfig } from '../../core/config/schema.js';
import { MemWatcherError } from '../../core/errors.js';
import { findInstallation } from '../../core/install.js';
import type { KernelProfile, StrategyReport } from '../../core/kernel/kernel.js';
import { createBpfLoader, explain } from '../../core/kernel/loader.js';
import { readProfile } from '../../core/kernel/profile.js';
import { RunningKernel } from '../../core/kernel/running-kernel.js';
import { silentLogger } from '../../core/logger.js';
import { objectName } from '../../core/metadata.js';
import type { Plugin, PluginModule } from '../../core/plugin.js';
import { Scope } from '../../core/scope.js';
import { StatusKeeper } from '../../core/status.js';
import type { Emitter, SpanIds } from '../../core/telemetry/events.js';
import {
  type MetricPoints,
  type PointAttributes,
  PointBatchBuilder,
} from '../../core/telemetry/points.js';
import { readBpf } from '../../core/telemetry/self.js';
import { buildWith } from '../conformance/harness.js';

const installation = findInstallation(import.meta.url);
const kernel = new RunningKernel();
const EVERY_MS = 20;
/** A guest is slow; but a test that waits for ever holds up all others. */
const PATIENCE_MS = 60_000;

export interface LiveOptions {
  /** The plugin's part of the YAML. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly strategy?: string;
  /** What is to be tried of the plugin's profile; all if not said. */
  readonly profile?: (whole: KernelProfile) => KernelProfile;
  /** Beyond what the plugin asks for. */
  readonly maxEntries?: Readonly<Record<string, number>>;
  /** In place of those that the plugin sets. */
  readonly constants?: LoadOptions['constants'];
  /** Which metrics are this plugin's; all if not said. */
  readonly isOn?: (metric: string) => boolean;
}

export interface SeenEvent {
  readonly name: string;
  readonly body: string;
  readonly attributes: PointAttributes;
  /** Unix ms. */
  readonly time: number | undefined;
}

export interface SeenSpan {
  readonly name: string;
  readonly ids: SpanIds;
  readonly attributes: PointAttributes;
  /** Unix ms. */
  readonly startTime: number;
  readonly endTime: number;
}

export class LivePlugin<Records> {
  readonly events: SeenEvent[] = [];
  readonly spans: SeenSpan[] = [];
  readonly health: StatusKeeper;
  report: StrategyReport | undefined;
  readonly #scope = new Scope();
  readonly #module: PluginModule;
  readonly #isOn: (metric: string) => boolean;
  readonly #plugin: Plugin;
  #loaded: LoadedBpf | undefined;

  private constructor(module: PluginModule, options: LiveOptions) {
    const { name } = module.metadata;
    const { config = {}, strategy = 'auto', profile = (whole) => whole } = options;
    const raw = { plugins: { [name]: config } };
    this.#module = module;
    this.#isOn = options.isOn ?? (() => true);
    this.health = new StatusKeeper(name, () => undefined);
    this.#plugin = buildWith(
      module,
      {
        scope: this.#scope,
        config: toAgentConfig(agentSchema([module]).parse(raw)).plugins[name]?.options ?? {},
        logger: silentLogger,
        loader: this.#remembering(
          (object) => loaderOf(name, object, strategy, profile, (report) => this.#reported(report)),
          options,
        ),
        emitter: this.#emitter(),
        health: this.health,
        metrics: { isOn: this.#isOn },
      },
      kernel,
    );
  }

  static async start<Records>(
    module: PluginModule,
    options: LiveOptions = {},
  ): Promise<LivePlugin<Records>> {
    const live = new LivePlugin<Records>(module, options);
    try {
      await live.#plugin.start();
      await live.#plugin.takeOver?.();
      live.health.running();
      return live;
    } catch (error) {
      await live.close();
      throw error;
    }
  }

  /** Started for `test`, and closed however it ends. */
  static async with<Records>(
    module: PluginModule,
    options: LiveOptions,
    test: (live: LivePlugin<Records>) => Promise<void>,
  ): Promise<void> {
    const live = await LivePlugin.start<Records>(module, options);
    try {
      await test(live);
    } finally {
      await live.close();
    }
  }

  get loaded(): LoadedBpf {
    if (!this.#loaded) throw new Error('nothing is loaded');
    return this.#loaded;
  }

  async collect(): Promise<Records> {
    return (await this.#plugin.collect()) as Records;
  }

  /** One collection's points by metric. */
  async points(): Promise<ReadonlyMap<string, MetricPoints>> {
    const builder = new PointBatchBuilder(this.#module.metadata, this.#isOn);
    this.#module.report(await this.#plugin.collect(), builder);
    const { metrics } = builder.build(Date.now(), 0);
    return new Map(metrics.map((points) => [points.name, points]));
  }

  /** What the agent tells of the plugin's BPF object. */
  get self() {
    return readBpf(this.loaded, this.health.fullnessOf());
  }

  /** Collects until it is so; throws if it never becomes so. */
  async until<T>(what: (records: Records) => T | undefined | false): Promise<T> {
    const deadline = performance.now() + PATIENCE_MS;
    while (performance.now() < deadline) {
      const found = what(await this.collect());
      if (found !== undefined && found !== false) return found;
      await sleep(EVERY_MS);
    }
    const { state, reason = 'no reason' } = this.health.current;
    throw new Error(`it never became so (${state}, ${reason}): ${what}`);
  }

  close(): Promise<void> {
    return this.#scope.close();
  }

  #reported(report: StrategyReport): void {
    this.report = report;
  }

  /** What is set beyond what the plugin asks for is of the plugin's own object. */
  #remembering(
    loaderFor: (object: string | undefined) => BpfLoader,
    { maxEntries, constants }: LiveOptions,
  ): BpfLoader {
    return {
      load: (options = {}) => {
        const loader = loaderFor(options.object);
        if (options.object !== undefined) return loader.load(options);
        this.#loaded = loader.load({
          ...options,
          maxEntries: { ...options.maxEntries, ...maxEntries },
          constants: { ...options.constants, ...constants },
        });
        return this.#loaded;
      },
    };
  }

  #emitter(): Emitter {
    return {
      event: (name, body, attributes, { time } = {}) => {
        this.events.push({ name, body, attributes: attributes as PointAttributes, time });
      },
      span: (name, { startTime, endTime, attributes }) => {
        const ids = {
          traceId: randomBytes(16).toString('hex'),
          spanId: randomBytes(8).toString('hex'),
        };
        this.spans.push({
          name,
          ids,
          startTime,
          endTime,
          attributes: attributes as PointAttributes,
        });
        return ids;
      },
    };
  }
}

function loaderOf(
  plugin: string,
  object: string | undefined,
  strategy: string,
  part: (whole: KernelProfile) => KernelProfile,
  onReport: (report: StrategyReport) => void,
): BpfLoader {
  const name = objectName(plugin, object);
  const whole = readProfile(installation.profiles, name);
  return createBpfLoader({
    host: createBpfHost(),
    kernel,
    profile: object === undefined ? part(whole) : whole,
    objectFile: installation.bpfObject(name),
    strategy: object === undefined ? strategy : 'auto',
    logger: silentLogger,
    ...(object === undefined && { onReport }),
  });
}

export interface StrategyChoice {
  readonly name: string;
  /** Why this kernel cannot do it; undefined if it must. */
  readonly lack: string | undefined;
}

/**
 * Every strategy of the profile, or the one that MEM_WATCHER_STRATEGY names. What facts allow must
 * work, unless a policy of the host refuses it.
 */
export async function strategiesOf(module: PluginModule): Promise<readonly StrategyChoice[]> {
  const { name } = module.metadata;
  const wanted = process.env.MEM_WATCHER_STRATEGY;
  const { verdicts } = explain(kernel, readProfile(installation.profiles, name));
  const choices: StrategyChoice[] = [];
  for (const { strategy, outcome, reasons } of verdicts) {
    if (wanted !== undefined && wanted !== strategy) continue;
    const lack =
      outcome === 'rejected'
        ? `this kernel ${reasons.join('; ')}`
        : await refusal(module, strategy);
    choices.push({ name: strategy, lack: wanted === undefined ? lack : undefined });
  }
  return choices;
}

async function refusal(module: PluginModule, strategy: string): Promise<string | undefined> {
  // A guest has no policy, and takes seconds to load and unload a strategy.
  if (process.env.MEM_WATCHER_VM !== undefined) return undefined;
  try {
    const live = await LivePlugin.start(module, { strategy });
    await live.close();
    return undefined;
  } catch (error) {
    const reason = error instanceof MemWatcherError ? (error.detail ?? error.message) : '';
    // A policy may refuse what the facts allow (lockdown); any other refusal fails its tests.
    return /not permitted|EPERM/i.test(reason) ? reason.split('\n', 1)[0] : undefined;
  }
}
