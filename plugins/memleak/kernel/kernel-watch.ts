/**
 * The kernel's own allocations. First what costs nothing: what slab caches, places of the source and
 * unaccounted pages hold, by the kernel's own books. What grows there is followed, allocation by
 * allocation, until it has been quiet for long.
 */
import { readFileSync } from 'node:fs';
import type { BpfLoader, LoadedBpf } from '../../../core/bpf/host.js';
import { MemWatcherError } from '../../../core/errors.js';
import { pageSize, possibleCpus } from '../../../core/identity/host.js';
import type { Closable } from '../../../core/scope.js';
import type { Coverage } from '../model.js';
import type { KernelConfig } from './config.js';
import { coverageOf, type KernelCounts, readCounts, readMissedRuns } from './counts.js';
import { decide, type Followed, without } from './decision.js';
import { KernelEconomy } from './economy.js';
import { excessOf } from './excess.js';
import { type Growth, GrowthDetector } from './growth.js';
import { Origins } from './origins.js';
import { Prelude } from './prelude.js';
import { AgePass, type KernelReading, StackReader, tryAgePass } from './readings.js';
import { Slots } from './slots.js';
import { type Survey, seriesOf, takeSurvey } from './survey.js';
import { Tracer, tryAttaching } from './tracer.js';

export interface KernelReadings {
  /** CLOCK_MONOTONIC ns. */
  readonly time: number;
  readonly readings: readonly KernelReading['reading'][];
  /** Of all that is followed. */
  readonly coverage: Coverage;
  /** By key, of a stack some of whose frees nobody saw: its own. */
  readonly coverageByStack: ReadonlyMap<string, Coverage>;
  readonly counts: KernelCounts;
}

export interface KernelWatchOptions {
  readonly survey?: () => Survey;
  readonly kallsyms?: () => string;
}

/** Of `present`, which counts by page: a power of two. */
const MIN_CELLS = 16_384;

const NOTHING: Followed = { caches: [], pages: false, percpu: false };

/** Throws what refuses a pass or a program that is attached later, while another way can be taken. */
export function verifyKernel(loaded: LoadedBpf): void {
  tryAgePass(loaded);
  tryAttaching(loaded);
}

export class KernelWatch implements Closable {
  readonly #config: KernelConfig;
  readonly #survey: () => Survey;
  readonly #kallsyms: () => string;
  readonly #growth: GrowthDetector;
  readonly #origins = new Origins();
  readonly #pageSize = pageSize();
  #state: State | undefined;
  /** What the books and the configuration ask for. */
  #wanted = NOTHING;
  /** Of that what is attached: not what costs too much. */
  #followed = NOTHING;
  #surveyed: Survey | undefined;
  #excess = 0;
  /** Keys of the last readings: those that are emptied are read once more, and then hold nothing. */
  #held: ReadonlySet<string> = new Set();

  constructor(config: KernelConfig, options: KernelWatchOptions = {}) {
    this.#config = config;
    this.#growth = new GrowthDetector(config);
    this.#survey = options.survey ?? takeSurvey;
    this.#kallsyms = options.kallsyms ?? (() => readFileSync('/proc/kallsyms', 'latin1'));
  }

  /** Loads; nothing is attached but for what is configured. */
  start(loader: BpfLoader): void {
    const { max_live, max_stacks } = this.#config;
    const cells = Math.max(MIN_CELLS, 2 ** Math.ceil(Math.log2(max_live / 4)));
    const loaded = loader.load({
      object: 'kernel',
      constants: {
        page_shift: Math.log2(this.#pageSize),
        possible_cpus: possibleCpus().length,
        present_mask: cells - 1,
      },
      maxEntries: {
        live: max_live,
        present: cells,
        stacks: max_stacks,
        ages: max_stacks,
        slots: max_stacks,
        free_slots: max_stacks,
      },
      verify: verifyKernel,
    });
    const economy = new KernelEconomy(this.#config.limit, loaded.strategy);
    this.#state = stateOf(loaded, this.#origins, new Prelude(this.#kallsyms()), economy);
    this.refresh();
  }

  /** Once a collection: looks at the kernel's books and follows what grows. `time`: ms, monotonic. */
  refresh(time = performance.now()): void {
    const { slots, reader } = this.#running;
    // Before the kernel's books: what is allocated in between is in them already.
    const held = reader.read(() => undefined);
    const survey = this.#survey();
    this.#surveyed = survey;
    this.#excess = excessOf(held, survey.caches);
    this.#growth.observe(time, seriesOf(survey));
    const surveyed = { ...survey, pageSize: this.#pageSize };
    this.#wanted = decide(this.#config, this.#growth.growing(), surveyed);
    this.#follow();
    slots.recycle();
  }

  /**
   * More often than collections are: leaves for a while the allocator whose programs cost more than
   * the limit. Returns what there is to say of it. `time`: ms, monotonic.
   */
  weigh(time = performance.now()): string | undefined {
    const { loaded, tracer, economy } = this.#running;
    const { attached } = tracer;
    const counts = attached.length > 0 ? readCounts(loaded.object) : undefined;
    const said = economy.weigh(time / 1000, attached, counts);
    if (said !== undefined) this.#follow();
    return said;
  }

  /** Since start. */
  counts(): KernelCounts {
    return readCounts(this.#running.loaded.object);
  }

  /** What is not followed for its cost, for the plugin's status. */
  get tooCostly(): string | undefined {
    return this.#state?.economy.words;
  }

  #follow(): void {
    const { tracer, economy } = this.#running;
    const followed = without(this.#wanted, (group) => economy.isLeft(group));
    const dropped = isLess(followed, this.#followed);
    tracer.follow(followed, this.#surveyed?.caches ?? []);
    this.#followed = followed;
    if (dropped) this.#forgetAllBut(followed);
  }

  /** Whose frees are not seen any more, that is not known to be outstanding. */
  #forgetAllBut(followed: Followed): void {
    const { reader, slots, ages } = this.#running;
    const kept = new Set(followed.caches);
    for (const { reading, slot, kind } of reader.read(() => undefined)) {
      if (!isFollowed(kind, reading.origin ?? '', kept, followed)) slots.retire(slot);
    }
    ages.run();
  }

  /** What is outstanding, by stack; `ages` costs a pass over every live allocation. */
  read(options: { readonly ages: boolean }): KernelReadings {
    const { loaded, reader, ages } = this.#running;
    if (options.ages) ages.run();
    const time = Number(process.hrtime.bigint());
    const agesOf = (slot: number) => (options.ages ? ages.of(slot, time) : undefined);
    const readings = reader.read(agesOf, this.#held);
    const holding = readings.filter(({ reading }) => reading.allocations > 0);
    this.#held = new Set(holding.map(({ reading }) => reading.key));
    const counts = readCounts(loaded.object);
    const missed = readMissedRuns(loaded.object, loaded.programs, counts);
    const coverage = coverageOf(counts, missed, this.#excess);
    const coverageByStack = new Map(
      readings
        .filter(({ unseenFrees }) => unseenFrees > 0)
        .map(({ reading, unseenFrees }) => [
          reading.key,
          {
            ...coverage,
            missedFrees: Math.min(coverage.missedFrees, reading.allocations) + unseenFrees,
            recorded: reading.allocatedCount,
          },
        ]),
    );
    return {
      time,
      readings: readings.map(({ reading }) => reading),
      coverage,
      coverageByStack,
      counts,
    };
  }

  /** What grows by the kernel's own books, the most first: `slab NAME`, `site PLACE`, `memory WHAT`. */
  sites(): readonly Growth[] {
    return this.#growth.growing();
  }

  get followed(): Followed {
    return this.#followed;
  }

  /** What cannot be seen here, for the plugin's status. */
  get lacks(): readonly string[] {
    return [...(this.#state?.loaded.lacks ?? []), ...(this.#surveyed?.lacks ?? [])];
  }

  /** Files of the kernel's own accounting that cannot be read; undefined if all can. */
  get unreadable(): string | undefined {
    return this.#surveyed?.unreadable.join('; ') || undefined;
  }

  /** The loaded object, for the agent's own telemetry; undefined before `start`. */
  get loaded(): LoadedBpf | undefined {
    return this.#state?.loaded;
  }

  /** Detaches; what is held is gone with the object. */
  async close(): Promise<void> {
    const state = this.#state;
    this.#state = undefined;
    this.#wanted = NOTHING;
    this.#followed = NOTHING;
    if (!state) return;
    try {
      state.tracer.close();
    } finally {
      await state.loaded.close();
    }
  }

  get #running(): State {
    if (this.#state) return this.#state;
    throw new MemWatcherError('INTERNAL', 'the kernel is not watched: start() was not called');
  }
}

interface State {
  readonly loaded: LoadedBpf;
  readonly tracer: Tracer;
  readonly slots: Slots;
  readonly reader: StackReader;
  readonly ages: AgePass;
  readonly economy: KernelEconomy;
}

/** Closes the object if something of it is not as it should be. */
function stateOf(
  loaded: LoadedBpf,
  origins: Origins,
  prelude: Prelude,
  economy: KernelEconomy,
): State {
  try {
    const slots = new Slots(loaded.object);
    return {
      loaded,
      slots,
      tracer: new Tracer(loaded, origins),
      reader: new StackReader(slots, origins, prelude),
      ages: new AgePass(loaded),
      economy,
    };
  } catch (error) {
    void loaded.close();
    throw error;
  }
}

function isFollowed(
  kind: KernelReading['kind'],
  origin: string,
  caches: ReadonlySet<string>,
  { pages, percpu }: Followed,
): boolean {
  if (kind === 'pages') return pages;
  if (kind === 'percpu') return percpu;
  return origin.split('|').every((name) => caches.has(name));
}

/** Whether something is no longer followed. */
function isLess(now: Followed, before: Followed): boolean {
  return (
    (before.pages && !now.pages) ||
    (before.percpu && !now.percpu) ||
    before.caches.some((name) => !now.caches.includes(name))
  );
}
