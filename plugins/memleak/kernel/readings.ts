/** The slots of the kernel's programs as readings. */
import type { BigintColumn, Column } from '../../../core/bpf/columns.js';
import { Columns } from '../../../core/bpf/columns.js';
import type { BpfLink, BpfObject, MappedArray } from '../../../core/bpf/host.js';
import type { Ages, Reading } from '../model.js';
import type { Origins } from './origins.js';
import type { Prelude } from './prelude.js';
import { FRAMES, type Slots } from './slots.js';

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

const NOBODY: ReadonlySet<string> = new Set();

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
  /** By key: frames do not change. */
  #known = new Map<string, readonly bigint[]>();

  constructor(slots: Slots, origins: Origins, prelude: Prelude) {
    this.#slots = slots;
    this.#origins = origins;
    this.#prelude = prelude;
    this.#column = Object.fromEntries(
      FIGURES.map((name) => [name, slots.columns.column(name)]),
    ) as Figures;
    this.#frames = Array.from({ length: FRAMES }, (_, n) => slots.columns.bigint(`frames[${n}]`));
  }

  /** Those with something outstanding, and of `others` by key those that have nothing left. */
  read(
    ages: (slot: number) => Ages | undefined,
    others: ReadonlySet<string> = NOBODY,
  ): KernelReading[] {
    const known = new Map<string, readonly bigint[]>();
    const readings: KernelReading[] = [];
    for (const slot of this.#slots.used()) {
      const key = this.#slots.keyOf(slot);
      const frames = this.#known.get(key) ?? this.#framesOf(slot);
      known.set(key, frames);
      if (this.#slots.isRetired(slot)) continue;
      const one = this.#one(slot, key, frames, ages(slot));
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

  #framesOf(slot: number): readonly bigint[] {
    const depth = Math.min(FRAMES, this.#column.depth.at(slot));
    const frames = this.#frames.slice(0, depth).map((column) => column.at(slot));
    return this.#prelude.strip(frames);
  }

  #originOf(kind: (typeof KINDS)[number], origin: number): string {
    if (kind === 'pages') return `page order ${origin}`;
    return kind === 'percpu' ? 'percpu' : this.#origins.labelOf(origin);
  }
}

/** Ages of what is outstanding, by slot: a pass over all of it. */
export class AgePass {
  readonly #link: BpfLink;
  readonly #mapped: MappedArray;
  readonly #oldest: Column;
  readonly #allocations: readonly Column[];
  readonly #bytes: readonly Column[];

  constructor(object: BpfObject) {
    this.#link = object.attach('age', { map: 'live' });
    this.#mapped = object.map('ages').mapped();
    const { bytes, stride } = this.#mapped;
    const columns = new Columns(object.layout('kernel_ages')).bind(bytes, stride);
    const each = (name: string) =>
      Array.from({ length: AGES }, (_, n) => columns.column(`${name}[${n}]`));
    this.#oldest = columns.column('oldest');
    this.#allocations = each('allocations');
    this.#bytes = each('bytes');
  }

  /** Also forgets what stacks that are retired have outstanding. */
  run(): void {
    this.#mapped.bytes.fill(0);
    this.#link.readAll();
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
