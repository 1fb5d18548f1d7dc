/** The slots of the kernel's programs as readings. */
import type { BigintColumn, Column } from '../../../core/bpf/columns.js';
import type { LoadedBpf, MappedArray } from '../../../core/bpf/host.js';
import { LiveColumns } from '../../../core/bpf/live-columns.js';
import type { Closable } from '../../../core/scope.js';
import type { Ages, Reading } from '../model.js';
import { LIMIT, openWalk, tryWalks, type Walk, type WalkedMap } from '../walk/walk.js';
import { AgeLookups } from './age-lookups.js';
import type { Origins } from './origins.js';
import type { Prelude } from './prelude.js';
import { FRAMES, type Slots } from './slots.js';
import { hashOfFrames } from './stack-hash.js';

/** enum kernel_kind of memleak-kernel.h. */
export const KINDS = ['cache', 'kmalloc', 'pages', 'percpu'] as const;
/** KERNEL_AGES of memleak-kernel.h. */
const AGES = 40;

const FIGURES = [
  'first_seen',
  'allocated_bytes',
  'allocated_count',
  'freed_bytes',
  'freed_count',
  'unseen_frees',
  'kind',
  'origin',
  'depth',
  'cut',
] as const;

const LIVE: WalkedMap = {
  map: 'live',
  forEach: 'each_live',
  iterator: 'iterate_live',
  limit: LIMIT,
};

/** Programs that walk, and trace nothing. */
export const WALK_PROGRAMS: readonly string[] = [LIVE.forEach, LIVE.iterator];

export const WALKED_MAPS: readonly WalkedMap[] = [LIVE];

/** Throws what refuses the walk that was loaded. */
export const tryAgePass = (loaded: LoadedBpf): void => tryWalks(loaded, WALKED_MAPS);

const NOBODY: ReadonlySet<string> = new Set();

/** The frames of a stack, and the hash that they were kept under. */
interface KnownStack {
  readonly hash: bigint;
  readonly frames: readonly bigint[];
}

type Figures = Readonly<Record<(typeof FIGURES)[number], Column>>;

/** One stack, with what only the kernel's have. */
export interface KernelReading {
  readonly reading: Reading;
  readonly slot: number;
  readonly kind: (typeof KINDS)[number];
  /** Part of its frees: nobody saw them, until the address was given out again. */
  readonly unseenFrees: number;
}

export class StackReader {
  readonly #slots: Slots;
  readonly #origins: Origins;
  readonly #prelude: Prelude;
  readonly #column: Figures;
  readonly #frames: readonly BigintColumn[];
  readonly #hash: BigintColumn;
  /** By key of the slot. */
  #known = new Map<string, KnownStack>();

  constructor(slots: Slots, origins: Origins, prelude: Prelude) {
    this.#slots = slots;
    this.#origins = origins;
    this.#prelude = prelude;
    this.#column = Object.fromEntries(
      FIGURES.map((name) => [name, slots.columns.column(name)]),
    ) as Figures;
    this.#frames = Array.from({ length: FRAMES }, (_, n) => slots.columns.bigint(`frames[${n}]`));
    this.#hash = slots.columns.bigint('hash');
  }

  /** Those with something outstanding, and of `others` by key those that have nothing left. */
  read(
    ages: (slot: number) => Ages | undefined,
    others: ReadonlySet<string> = NOBODY,
  ): KernelReading[] {
    const known = new Map<string, KnownStack>();
    const readings: KernelReading[] = [];
    for (const slot of this.#slots.used()) {
      const key = this.#slots.keyOf(slot);
      const stack = this.#stackOf(slot, this.#known.get(key));
      if (stack === undefined) continue;
      known.set(key, stack);
      if (this.#slots.isRetired(slot)) continue;
      const one = this.#one(slot, key, stack.frames, ages(slot));
      if (one.reading.allocations > 0 || others.has(key)) readings.push(one);
    }
    this.#known = known;
    return readings;
  }

  /** Freed first: what comes in between is outstanding, never less than nothing. */
  #one(slot: number, key: string, frames: readonly bigint[], ages: Ages | undefined) {
    const of = (name: (typeof FIGURES)[number]) => this.#column[name].at(slot);
    const [freedBytes, freedCount] = [of('freed_bytes'), of('freed_count')];
    const [allocatedBytes, allocatedCount] = [of('allocated_bytes'), of('allocated_count')];
    const kind = KINDS[of('kind')] ?? 'cache';
    const cut = of('cut');
    const reading: Reading = {
      source: { kind: 'kernel' },
      key,
      frames,
      depth: cut === 0 ? 'end' : cut === 1 ? 'limit' : 'unreadable',
      origin: this.#originOf(kind, of('origin')),
      bytes: Math.max(0, allocatedBytes - freedBytes),
      allocations: Math.max(0, allocatedCount - freedCount),
      bytesError: 0,
      allocatedBytes,
      allocatedCount,
      freedBytes,
      freedCount,
      firstSeen: of('first_seen'),
      ...(ages === undefined ? {} : { ages }),
    };
    return { reading, slot, kind, unseenFrees: of('unseen_frees') };
  }

  /**
   * undefined while a program writes it: on arm64 `first_seen` may be seen before the frames, so they
   * count only if they have the stack's hash. The next reading finds it.
   */
  #stackOf(slot: number, known: KnownStack | undefined): KnownStack | undefined {
    const hash = this.#hash.at(slot);
    if (known?.hash === hash) return known;
    const frames = this.#frames.map((column) => column.at(slot));
    if (hashOfFrames(frames) !== hash) return undefined;
    const depth = Math.min(FRAMES, this.#column.depth.at(slot));
    return { hash, frames: this.#prelude.strip(frames.slice(0, depth)) };
  }

  #originOf(kind: (typeof KINDS)[number], origin: number): string {
    if (kind === 'pages') return `page order ${origin}`;
    return kind === 'percpu' ? 'percpu' : this.#origins.labelOf(origin);
  }
}

/** Ages of what is outstanding, by slot: a pass over all of it. */
export class AgePass implements Closable {
  readonly #walk: Walk;
  readonly #lookups: AgeLookups;
  /** Elements of `live`, as of the last pass. */
  #size = 0;
  readonly #mapped: MappedArray;
  readonly #oldest: Column;
  readonly #allocations: readonly Column[];
  readonly #bytes: readonly Column[];

  constructor(loaded: LoadedBpf) {
    const { object } = loaded;
    this.#walk = openWalk(loaded, LIVE);
    this.#lookups = new AgeLookups(object);
    this.#mapped = object.map('ages').mapped();
    const columns = new LiveColumns(object.layout('kernel_ages'), this.#mapped);
    const each = (name: string) =>
      Array.from({ length: AGES }, (_, n) => columns.column(`${name}[${n}]`));
    this.#oldest = columns.column('oldest');
    this.#allocations = each('allocations');
    this.#bytes = each('bytes');
  }

  /** Also forgets what stacks that are retired have outstanding. */
  run(): void {
    this.#mapped.bytes.fill(0);
    if (this.#walk.run(this.#size) === 'whole') return;
    this.#size = this.#lookups.run();
  }

  close(): void {
    this.#walk.close();
    this.#mapped.close();
    this.#lookups.close();
  }

  /** As of the last pass; `now`: CLOCK_MONOTONIC, ns. */
  of(slot: number, now: number): Ages | undefined {
    const oldest = this.#oldest.at(slot);
    if (oldest === 0) return undefined;
    const until = this.#allocations.findLastIndex((column) => column.at(slot) > 0) + 1;
    return {
      oldest: Math.max(0, now - oldest) / 1e9,
      allocations: this.#allocations.slice(0, until).map((column) => column.at(slot)),
      bytes: this.#bytes.slice(0, until).map((column) => column.at(slot)),
    };
  }
}
