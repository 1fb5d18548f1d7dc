import { inject, injectable } from 'tsyringe';
import type { LoadedBpf, RingReader } from '../../core/bpf/host.js';
import { onDemand } from '../../core/bpf/on-demand.js';
import { missedRuns } from '../../core/bpf/stats.js';
import { describeError, MemWatcherError } from '../../core/errors.js';
import { CgroupPaths } from '../../core/identity/cgroup-paths.js';
import { type Filter, makeFilter } from '../../core/identity/filter.js';
import { pageSize } from '../../core/identity/host.js';
import { MonotonicClock } from '../../core/identity/monotonic-clock.js';
import { WhoIs, type WhoRecord } from '../../core/identity/who.js';
import { GfpFlags } from '../../core/memory/gfp.js';
import { MigrateTypes } from '../../core/memory/migrate-type.js';
import { nodeCount } from '../../core/memory/numa.js';
import { type NodeZones, zoneMetrics } from '../../core/memory/zones.js';
import type { Plugin } from '../../core/plugin.js';
import { KernelSymbols } from '../../core/symbolize/kallsyms.js';
import { reportKernelNames } from '../../core/symbolize/kernel-names-health.js';
import { everyTick } from '../../core/ticks.js';
import { BpfLoader, Config, Emitter, Health, Kernel, Metrics, Scope } from '../../core/tokens.js';
import { Attempts } from './attempts.js';
import { constantsOf } from './constants.js';
import { hasCpusets } from './cpusets.js';
import { type Detail, DetailDecoder } from './decoder.js';
import type { Failure } from './failure.js';
import { Folds, freeAll, SPARE } from './folds.js';
import { Losses } from './losses.js';
import type { PafMetadata } from './metadata.js';
import type { PafRecords } from './records.js';
import { Survey } from './survey.js';
import { Teller } from './teller.js';
import { freeSwap } from './verdict/swap.js';
import { judge } from './verdict/verdict.js';
import { FailureWatch } from './watch.js';

/** How soon a failure is told of, ms. */
const DRAIN_EVERY = 200;

/** What `start` made. */
interface Running {
  readonly loaded: LoadedBpf;
  readonly watch: FailureWatch;
  readonly teller: Teller;
  readonly symbols: KernelSymbols;
  readonly attempts: Attempts | undefined;
  readonly survey: Survey | undefined;
  readonly losses: Losses;
}

@injectable()
export class Paf implements Plugin<PafRecords> {
  readonly #cgroups = new CgroupPaths();
  readonly #whoIs = new WhoIs(this.#cgroups);
  readonly #clock = new MonotonicClock();
  readonly #pageSize = pageSize();
  readonly #gfp: GfpFlags;
  readonly #migrateTypes: MigrateTypes;
  readonly #wanted: Filter<WhoRecord>;
  #running: Running | undefined;

  constructor(
    @inject(Scope) private readonly scope: Scope,
    @inject(Config) private readonly config: Config<PafMetadata>,
    @inject(BpfLoader) private readonly loader: BpfLoader,
    @inject(Health) private readonly health: Health,
    @inject(Kernel) kernel: Kernel,
    @inject(Emitter) private readonly emitter: Emitter<PafMetadata>,
    @inject(Metrics) private readonly metrics: Metrics,
  ) {
    this.#gfp = GfpFlags.of(kernel);
    this.#migrateTypes = MigrateTypes.of(kernel);
    this.#wanted = makeFilter<WhoRecord>(config, {
      cgroup: ({ cgroup, cgroup_v1, pid }) => this.#whoIs.cgroup(cgroup, cgroup_v1 !== 0, pid),
    });
  }

  start(): void {
    const loaded = this.scope.use(this.#load());
    const { object } = loaded;
    // Once nobody looks for names any more.
    this.scope.defer(() => this.#running?.teller.settled());
    const symbols = this.scope.use(new KernelSymbols());
    reportKernelNames(this.health, symbols);
    const teller = this.#teller(symbols);
    const watch = this.#watch(loaded, teller);
    const attempts = loaded.parts.has('attempts') ? this.#attempts(loaded) : undefined;
    const run = surveyOf(loaded);
    const survey = run && this.#survey(loaded, run);
    const losses = new Losses(object, this.health, this.config.capacity);
    const running = { loaded, watch, teller, symbols, attempts, survey, losses };
    this.#running = running;
    // What has failed since the last look is told of as well, before the object is closed.
    this.scope.defer(() => this.#look(running, true));
    this.scope.defer(everyTick(DRAIN_EVERY, () => this.#look(running)));
  }

  collect(): PafRecords {
    const running = this.#running;
    if (!running) {
      throw new MemWatcherError('INTERNAL', 'paf was asked to collect before it started');
    }
    const { watch, loaded, teller, symbols, attempts, losses } = running;
    this.#lookNow(running);
    this.health.fullness('slots', Math.min(1, watch.used / this.config.capacity));
    this.#cgroups.sweep(this.health);
    losses.check();
    reportKernelNames(this.health, symbols);
    return {
      failures: watch.counts.map(({ order, type, reason, count }) => {
        return { order, migrateType: this.#typeName(type), reason, count };
      }),
      recent: teller.recent,
      attempts: attempts?.list,
      totals: {
        folded: watch.folded,
        postponed: watch.postponed,
        overflowed: watch.overflowed,
        suppressedAttempts: attempts?.suppressed ?? 0,
        unseen: missedRuns(loaded.object, loaded.links.keys()),
      },
      pageSize: this.#pageSize,
      zones: this.#zones(running),
    };
  }

  settle(): void {
    if (this.#running) this.#look(this.#running, true);
  }

  #load(): LoadedBpf {
    const { capacity, attempts } = this.config;
    const nodes = nodeCount();
    return this.loader.load({
      constants: constantsOf(this.config, this.#gfp, nodes),
      maxEntries: { folds: SPARE + capacity, slots: capacity, free_slots: capacity, nodes },
      beforeAttach: (object) => freeAll(object, capacity),
      without: attempts ? [] : ['attempts'],
      // A program that may be loaded and not run is none.
      verify: (loaded) => void surveyOf(loaded)?.(),
    });
  }

  #survey({ object }: LoadedBpf, run: () => number): Survey {
    const nodes = this.scope.use(object.map('nodes').mapped());
    return new Survey(object, run, nodes, this.#pageSize);
  }

  get #reportsZones(): boolean {
    return Object.keys(zoneMetrics).some((name) => this.metrics.isOn(name));
  }

  #teller(symbols: KernelSymbols): Teller {
    return new Teller({
      gfp: this.#gfp,
      context: {
        gfp: this.#gfp,
        migrateType: (value) => this.#typeName(value),
        cgroup: ({ cgroupId, v1 }, pid) => this.#whoIs.cgroup(cgroupId, v1, pid),
      },
      symbols,
      emitter: this.emitter,
    });
  }

  #watch({ object }: LoadedBpf, teller: Teller): FailureWatch {
    const ring = this.scope.use(object.map('details').ring());
    const decoder = new DetailDecoder(object.layout('paf_detail'), {
      flags: () => ({ gfp: this.#gfp, cpusets: hasCpusets() }),
      unix: (ns) => this.#clock.unix(ns),
      who: (record) => this.#whoIs.who(record),
    });
    return new FailureWatch({
      folds: new Folds(
        object,
        this.scope.use(object.map('folds').mapped()),
        this.scope.use(object.map('totals').mapped()),
      ),
      details: () => this.#drain(ring, decoder),
      judge: (failure) => this.#judge(failure),
      who: (record) => this.#whoIs.who(record),
      wanted: (record) => (record ? this.#wanted(record) : !isFiltered(this.config)),
      unix: (ns) => this.#clock.unix(ns),
      window: this.config.window,
      eventsPerSecond: this.config.events_per_second,
      tell: (told) => teller.tell(told),
    });
  }

  #attempts({ object }: LoadedBpf): Attempts {
    return new Attempts(object, this.scope.use(object.map('attempts').ring()), {
      unix: (ns) => this.#clock.unix(ns),
      who: (record) => this.#whoIs.who(record),
      wanted: this.#wanted,
      describe: (mask) => this.#gfp.describe(mask),
      decodeErrors: (count) => this.health.decodeErrors(count),
    });
  }

  #drain(ring: RingReader, decoder: DetailDecoder): Detail[] {
    const details: Detail[] = [];
    ring.drain((view, offset, length) => {
      try {
        details.push(decoder.decode(view, offset, length));
      } catch {
        this.health.decodeErrors(1);
      }
    });
    return details;
  }

  #lookNow({ watch, attempts }: Running, isLast = false): void {
    this.#clock.sync();
    if (isLast) watch.finish(Date.now());
    else watch.look(Date.now());
    attempts?.drain();
  }

  /** Between collections nobody catches an error. */
  #look(running: Running, isLast = false): void {
    try {
      this.#lookNow(running, isLast);
      this.health.clear('look');
    } catch (error) {
      this.health.degraded('look', `failures cannot be read: ${describeError(error)}`);
    }
  }

  #judge(failure: Failure) {
    const { memcg, requester } = failure;
    return judge(failure, {
      gfp: this.#gfp,
      migrateTypes: this.#migrateTypes,
      pageSize: this.#pageSize,
      swapFree: freeSwap(this.#pageSize),
      cgroupName: (id) => memcg && this.#whoIs.cgroup(id, memcg.v1, requester.pid)?.path,
    });
  }

  /** Read only for metrics that are ours to report. Failures are known without. */
  #zones({ survey }: Running): NodeZones[] | undefined {
    if (survey === undefined || !this.#reportsZones) return undefined;
    try {
      const zones = survey.take();
      this.health.clear('zones');
      return zones;
    } catch (error) {
      this.health.degraded('zones', `zones cannot be read: ${describeError(error)}`);
      return undefined;
    }
  }

  #typeName(value: number): string {
    return this.#migrateTypes.name(value) ?? String(value);
  }
}

const surveyOf = (loaded: LoadedBpf) => onDemand(loaded, 'survey');

/** Some failures are not to be told of. */
const isFiltered = ({ pids, names, cgroups, containers }: Config<PafMetadata>): boolean =>
  [pids, names, cgroups, containers].some((list) => list.length > 0);
