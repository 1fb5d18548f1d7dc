import { inject, injectable } from 'tsyringe';
import type { LoadedBpf } from '../../core/bpf/host.js';
import { describeError, MemWatcherError } from '../../core/errors.js';
import { steadyNow } from '../../core/identity/boot-moment.js';
import { CgroupPaths } from '../../core/identity/cgroup-paths.js';
import { type Filter, makeFilter } from '../../core/identity/filter.js';
import { MonotonicClock } from '../../core/identity/monotonic-clock.js';
import { type Who, WhoIs } from '../../core/identity/who.js';
import { GfpFlags } from '../../core/memory/gfp.js';
import { nodeCount } from '../../core/memory/numa.js';
import type { Plugin } from '../../core/plugin.js';
import { everyTick } from '../../core/ticks.js';
import { BpfLoader, Config, Emitter, Health, Kernel, Metrics, Scope } from '../../core/tokens.js';
import {
  cgroupOf,
  pagesOf,
  processesOf,
  requestsOf,
  throttlesOf,
  typesOf,
  unmeasuredOf,
  wakeupsOf,
} from './decoder.js';
import type {
  PrCgroup,
  PrCounts,
  PrPages,
  PrProcess,
  PrRequest,
  PrThrottled,
  PrWakeups,
} from './events.gen.js';
import { KeptThreads } from './kept-threads.js';
import { Losses } from './losses.js';
import type { PrMetadata } from './metadata.js';
import { hasMultiGenLru } from './multi-gen.js';
import { RECLAIM_TYPES, type ReclaimSnapshot, type SpanFate } from './reclaim.js';
import { Rows } from './rows.js';
import { Spans } from './spans.js';
import { Stalls } from './stalls.js';
import { SwapCounters } from './swap.js';
import { Table } from './table.js';
import { Totals } from './totals.js';

/** ms after which what did not change may leave a table. */
const RETENTION = 600_000;
/** How often the ring is emptied, ms: who is gone cannot be asked for its cgroup. */
const DRAIN_INTERVAL = 200;
/** Seconds' worth of spans that may come at once. */
const BURST = 10;
const TABLES = ['cgroups', 'requests', 'processes'] as const;

/** What `start` made. */
interface Running {
  readonly loaded: LoadedBpf;
  readonly startTime: number;
  readonly cgroups: Table<PrCgroup>;
  readonly requests: Table<PrRequest>;
  readonly processes: Table<PrProcess>;
  readonly types: Rows<PrCounts>;
  readonly pages: Rows<PrPages>;
  readonly throttles: Rows<PrThrottled> | undefined;
  readonly wakeups: Rows<PrWakeups> | undefined;
  readonly swap: SwapCounters;
  readonly spans: Spans | undefined;
  readonly losses: Losses;
  readonly kept: KeptThreads;
}

@injectable()
export class Pr implements Plugin<ReclaimSnapshot> {
  readonly #paths = new CgroupPaths();
  readonly #whoIs = new WhoIs(this.#paths);
  readonly #totals = new Totals();
  readonly #stalls = new Stalls(cgroupOf(this.#whoIs));
  readonly #flags: GfpFlags;
  readonly #filter: Filter<Who>;
  #running: Running | undefined;

  constructor(
    @inject(Scope) private readonly scope: Scope,
    @inject(Config) private readonly config: Config<PrMetadata>,
    @inject(BpfLoader) private readonly loader: BpfLoader,
    @inject(Emitter) private readonly emitter: Emitter<PrMetadata>,
    @inject(Health) private readonly health: Health,
    @inject(Kernel) kernel: Kernel,
    @inject(Metrics) private readonly metrics: Metrics,
  ) {
    this.#flags = GfpFlags.of(kernel);
    this.#filter = makeFilter(config, { cgroup: ({ cgroup }) => cgroup });
  }

  start(): void {
    const nodes = nodeCount();
    const wantsRequests = this.metrics.isOn('memwatcher.reclaim.requests');
    const loaded = this.scope.use(
      this.loader.load({
        constants: {
          ...spanConstants(this.config),
          requests_wanted: Number(wantsRequests),
        },
        maxEntries: {
          threads: this.config.threads,
          pages: nodes * RECLAIM_TYPES.length,
          wakeups: nodes,
          ...tableEntries(this.config.capacity, wantsRequests ? TABLES : ['cgroups', 'processes']),
        },
        beforeAttach: (object) => {
          for (const name of TABLES) Table.fill(object, name);
        },
        without: hasMultiGenLru() ? this.config.without : [...this.config.without, 'multi-gen'],
      }),
    );
    this.#running = this.#attach(loaded);
    const { spans, swap } = this.#running;
    this.health.lacks([...lacksOf(loaded), ...swap.lacks]);
    // What has come since the last look is sent as well, before the object is closed.
    if (spans) {
      this.scope.defer(() => this.#drain(spans));
      this.scope.defer(everyTick(DRAIN_INTERVAL, () => this.#drain(spans)));
    }
  }

  collect(): ReclaimSnapshot {
    if (this.#running === undefined) {
      throw new MemWatcherError('INTERNAL', 'pr collects before it has started');
    }
    const { loaded, startTime, spans, losses, kept, swap, throttles, wakeups } = this.#running;
    spans?.drain();
    const cgroups = this.#running.cgroups.read();
    const requests = this.#running.requests.read();
    const processes = this.#running.processes.read();
    const counts = this.#running.types.read();
    const pages = pagesOf(this.#running.pages.read());
    const time = steadyNow();
    const snapshot: ReclaimSnapshot = {
      startTime,
      time,
      types: typesOf(
        loaded.parts,
        this.#totals.of(cgroups),
        counts,
        (type) => spans?.takeExemplars(type) ?? [],
      ),
      pages,
      stalls: this.#stalls.add(cgroups, time),
      processes: processesOf(processes, {
        whoIs: this.#whoIs,
        flags: this.#flags,
        filter: this.#filter,
        startTime,
      }),
      requests: requestsOf(requests, this.#flags, startTime),
      throttles: throttles && throttlesOf(throttles.read()),
      wakeups: wakeups && wakeupsOf(wakeups.read(), new Set(pages.map(({ node }) => node))),
      swap: swap.since(),
      spans: fatesOf(counts, spans),
      unmeasured: unmeasuredOf(counts),
      spanThreshold: this.config.span_threshold * 1e6,
    };
    this.#paths.sweep(this.health);
    kept.sweep();
    losses.check(loaded, counts, pages);
    for (const name of TABLES) this.health.fullness(name, this.#running[name].fullness);
    return snapshot;
  }

  settle(): void {
    const spans = this.#running?.spans;
    if (spans) this.#drain(spans);
  }

  /** Between collections nobody catches an error. */
  #drain(spans: Spans): void {
    try {
      spans.drain();
      this.health.clear('drain');
    } catch (error) {
      this.health.degraded('drain', `spans cannot be read: ${describeError(error)}`);
    }
  }

  #attach(loaded: LoadedBpf): Running {
    const { scope } = this;
    const { object } = loaded;
    const rows = <Row>(map: string, struct: string) => new Rows<Row>(object, scope, map, struct);
    return {
      loaded,
      startTime: steadyNow(),
      cgroups: new Table<PrCgroup>(object, scope, 'cgroups', 'pr_cgroup', RETENTION),
      requests: new Table<PrRequest>(object, scope, 'requests', 'pr_request', RETENTION),
      processes: new Table<PrProcess>(object, scope, 'processes', 'pr_process', RETENTION),
      types: rows<PrCounts>('types', 'pr_counts'),
      pages: rows<PrPages>('pages', 'pr_pages'),
      throttles: this.#part(loaded, 'throttled', () => rows('throttles', 'pr_throttled')),
      wakeups: this.#part(loaded, 'wakeups', () => rows('wakeups', 'pr_wakeups')),
      swap: new SwapCounters(),
      spans: this.#part(loaded, 'spans', () => this.#spans(loaded)),
      losses: new Losses(object, this.health, this.config),
      kept: new KeptThreads(object),
    };
  }

  /** What is not seen has no figures. */
  #part<T>({ parts }: LoadedBpf, name: string, make: () => T): T | undefined {
    return parts.has(name) ? make() : undefined;
  }

  #spans({ object, parts }: LoadedBpf): Spans {
    return new Spans(object, this.scope, {
      saysThrottling: parts.has('throttled'),
      whoIs: this.#whoIs,
      flags: this.#flags,
      clock: new MonotonicClock(),
      emitter: this.emitter,
      health: this.health,
      filter: this.#filter,
    });
  }
}

function spanConstants({ span_threshold, span_sampling, span_rate }: Config<PrMetadata>) {
  const interval = Math.round(1e9 / span_rate);
  return {
    span_threshold_ns: Math.round(span_threshold * 1e6),
    span_share: Math.round(span_sampling * 2 ** 32),
    span_interval_ns: interval,
    span_burst_ns: BURST * 1e9,
  };
}

/** What a table that nobody wants still needs is one row. */
function tableEntries(capacity: number, wanted: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    TABLES.flatMap((name) => {
      const entries = RECLAIM_TYPES.length + (wanted.includes(name) ? capacity : 1);
      return ['', '_index', '_free'].map((part) => [`${name}${part}`, entries]);
    }),
  );
}

/** Classic tracepoints print a choice of what the kernel knows of pages. */
function lacksOf({ strategy, parts }: LoadedBpf): readonly string[] {
  const tracepoints = [undefined, 'reclaim-pages', 'reclaim-pages-raw'];
  const hasFunction = !tracepoints.includes(parts.get('shrink-list'));
  return strategy === 'tracepoint' && !hasFunction
    ? ['pages that are unqueued dirty, paged out, demoted or no longer to be freed lazily']
    : [];
}

function fatesOf(counts: readonly PrCounts[], spans: Spans | undefined): Record<SpanFate, number> {
  const all = (member: 'sampled_out' | 'rate_limited' | 'ring_full') =>
    counts.reduce((sum, count) => sum + count[member], 0);
  return {
    sent: spans?.sent ?? 0,
    sampled_out: all('sampled_out'),
    rate_limited: all('rate_limited'),
    ring_full: all('ring_full'),
    filtered: spans?.filtered ?? 0,
    unwanted: spans?.unwanted ?? 0,
  };
}
