import { inject, injectable } from 'tsyringe';
import type { LoadedBpf, RingReader } from '../../core/bpf/host.js';
import { describeError, MemWatcherError } from '../../core/errors.js';
import { CgroupPaths } from '../../core/identity/cgroup-paths.js';
import { makeFilter } from '../../core/identity/filter.js';
import { pageSize } from '../../core/identity/host.js';
import { MonotonicClock } from '../../core/identity/monotonic-clock.js';
import { WhoIs, type WhoRecord } from '../../core/identity/who.js';
import { GfpFlags } from '../../core/memory/gfp.js';
import { MigrateTypes } from '../../core/memory/migrate-type.js';
import { nodeCount } from '../../core/memory/numa.js';
import type { Plugin } from '../../core/plugin.js';
import { KernelSymbols } from '../../core/symbolize/kallsyms.js';
import { BpfLoader, Config, Emitter, Health, Kernel, Metrics, Scope } from '../../core/tokens.js';
import { type Detail, DetailDecoder } from './decoder.js';
import { attributesOf, bodyOf, EVENT, type EventContext } from './event.js';
import type { Failure } from './failure.js';
import { Folds, SPARE } from './folds.js';
import type { PafMetadata } from './metadata.js';
import type { PafRecords, ToldFailures } from './records.js';
import { freeSwap } from './swap.js';
import { judge } from './verdict.js';
import { FailureWatch, type Told } from './watch.js';

/** How soon a failure is told of, ms. */
const DRAIN_EVERY = 100;
/** For the names of a stack, ms; the event goes without them then. */
const NAMES_WITHIN = 5000;
/** The last that were told, kept for the view. */
const RECENT = 200;

/** What `start` made. */
interface Running {
  readonly loaded: LoadedBpf;
  readonly watch: FailureWatch;
}

@injectable()
export class Paf implements Plugin<PafRecords> {
  readonly #cgroups = new CgroupPaths();
  readonly #whoIs = new WhoIs(this.#cgroups);
  readonly #clock = new MonotonicClock();
  readonly #gfp: GfpFlags;
  readonly #migrateTypes: MigrateTypes;
  readonly #pageSize = pageSize();
  readonly #context: EventContext;
  readonly #recent: ToldFailures[] = [];
  #symbols: KernelSymbols | undefined;
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
    this.#context = {
      gfp: this.#gfp,
      migrateType: (value) => this.#typeName(value),
      cgroup: ({ cgroupId, v1 }, pid) => this.#whoIs.cgroup(cgroupId, v1, pid),
    };
  }

  start(): void {
    const { capacity, stack_depth, stack_rate, window, events_per_second } = this.config;
    this.#symbols = this.scope.use(new KernelSymbols());
    const loaded = this.scope.use(
      this.loader.load({
        constants: {
          node_count: nodeCount(),
          stack_depth,
          stack_rate,
          window_ns: Math.round(window * 1e6),
          by_process: this.#tellsProcesses,
        },
        maxEntries: { folds: SPARE + capacity, slots: capacity, free_slots: capacity },
      }),
    );
    const { object } = loaded;
    const folds = new Folds(object, this.scope.use(object.map('folds').mapped()));
    const ring = this.scope.use(object.map('details').ring());
    const decoder = this.#decoder(loaded);
    const watch = new FailureWatch({
      folds,
      details: () => this.#drain(ring, decoder),
      judge: (failure) => this.#judge(failure),
      who: (record) => this.#whoIs.who(record),
      wanted: this.#filter(),
      unix: (ns) => this.#clock.unix(ns),
      window,
      eventsPerSecond: events_per_second,
      tell: (told) => this.#tell(told),
    });
    this.#running = { loaded, watch };
    this.scope.defer(() => this.#look(watch));
    const timer = setInterval(() => this.#look(watch), DRAIN_EVERY).unref();
    this.scope.defer(() => clearInterval(timer));
  }

  collect(): PafRecords {
    if (!this.#running) {
      throw new MemWatcherError('INTERNAL', 'paf was asked to collect before it started');
    }
    const { watch, loaded } = this.#running;
    this.#clock.sync();
    watch.look(Date.now());
    this.health.fullness('slots', watch.used / this.config.capacity);
    this.#cgroups.sweep();
    return {
      failures: watch.counts.map(({ order, type, reason, count }) => {
        return { order, migrateType: this.#typeName(type), reason, count };
      }),
      recent: [...this.#recent],
      attempts: undefined,
      pageSize: this.#pageSize,
      totals: {
        folded: watch.folded,
        postponed: watch.postponed,
        overflowed: watch.overflowed,
        suppressedAttempts: 0,
        unseen: unseen(loaded),
      },
      zones: undefined,
    };
  }

  /** Filters that ask for a process must not be given folds of several. */
  get #tellsProcesses(): boolean {
    return this.config.pids.length + this.config.names.length > 0;
  }

  #filter(): (record: WhoRecord) => boolean {
    return makeFilter<WhoRecord>(this.config, {
      cgroup: ({ cgroup, cgroup_v1, pid }) => this.#whoIs.cgroup(cgroup, cgroup_v1 !== 0, pid),
    });
  }

  #decoder({ object }: LoadedBpf): DetailDecoder {
    return new DetailDecoder(object.layout('paf_detail'), {
      flags: () => ({ gfp: this.#gfp, cpusets: false }),
      unix: (ns) => this.#clock.unix(ns),
      who: (record) => this.#whoIs.who(record),
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

  #look(watch: FailureWatch): void {
    try {
      this.#clock.sync();
      watch.look(Date.now());
      this.health.clear('look');
    } catch (error) {
      this.health.degraded('look', `failures cannot be read: ${describeError(error)}`);
    }
  }

  #judge(failure: Failure) {
    return judge(failure, {
      gfp: this.#gfp,
      migrateTypes: this.#migrateTypes,
      pageSize: this.#pageSize,
      swapFree: freeSwap(this.#pageSize),
      cgroupName: (id) => {
        const { memcg, requester } = failure;
        return memcg && this.#whoIs.cgroup(id, memcg.v1, requester.pid)?.path;
      },
    });
  }

  #tell(told: Told): void {
    void this.#named(told).then((named) => {
      if (this.#recent.length >= RECENT) this.#recent.shift();
      this.#recent.push(named);
      this.emitter.event(EVENT, bodyOf(named, this.#context), attributesOf(named, this.#context), {
        time: named.first,
      });
    });
  }

  /** With the names of its stack, if they come in time. */
  async #named(told: Told): Promise<ToldFailures> {
    const plain = told.stack.map((address) => ({ address }));
    const flags = {
      flags: this.#flags(told.request.gfp),
      requestedFlags: this.#flags(told.detail?.requestedGfp),
    };
    if (!this.#symbols || plain.length === 0) return { ...told, ...flags, frames: plain };
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<typeof plain>((resolve) => {
      timer = setTimeout(() => resolve(plain), NAMES_WITHIN).unref();
    });
    const frames = await Promise.race([this.#symbols.resolve(told.stack), late]);
    clearTimeout(timer);
    return { ...told, ...flags, frames };
  }

  #flags(mask: number | undefined): string | undefined {
    return mask === undefined ? undefined : this.#gfp.describe(mask);
  }

  #typeName(value: number): string {
    return this.#migrateTypes.name(value) ?? String(value);
  }
}

/** Runs that the kernel left out because one was under way on that CPU. */
function unseen({ object, links }: LoadedBpf): number {
  let misses = 0;
  for (const program of links.keys()) misses += object.programInfo(program).recursionMisses ?? 0;
  return misses;
}
