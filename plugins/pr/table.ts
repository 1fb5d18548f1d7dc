import type { Column } from '../../core/bpf/columns.js';
import type { BpfMap, BpfObject, MappedArray } from '../../core/bpf/host.js';
import type { StructLayout } from '../../core/bpf/layout.js';
import { LiveArray, LiveColumns } from '../../core/bpf/live-columns.js';
import { type RecordDecoder, recordDecoder } from '../../core/bpf/record.js';
import { MemWatcherError } from '../../core/errors.js';
import { steadyNow } from '../../core/identity/boot-moment.js';
import type { Scope } from '../../core/scope.js';
import { RECLAIM_TYPES } from './reclaim.js';

/** The first slots: for what found the table full, by type. */
const RESERVED = RECLAIM_TYPES.length;
/** PR_FORGOTTEN of pr.h: threads that remember the slot look for their key anew. */
const FORGOTTEN = 2;
/** A table this full makes room. */
const CROWDED = 0.75;

export interface TableRow {
  readonly used: number;
  readonly figures: { readonly episodes: number };
}

export interface Entry<Row> {
  readonly slot: number;
  readonly row: Row;
  /** Unix ms: it counts since then. */
  readonly since: number;
}

export interface TableSnapshot<Row> {
  readonly entries: readonly Entry<Row>[];
  /** What found the table full, by type; where nothing did, absent. */
  readonly overflow: ReadonlyMap<number, Row>;
  /** Entries whose key is forgotten: this is the last that is seen of them. */
  readonly leaving: readonly Row[];
}

interface Known {
  since: number;
  episodes: number;
  changed: number;
}

/**
 * A table of tables.h, as user space sees it: which slots are taken, and room for new keys.
 *
 * A slot goes through: free (in the kernel's queue) → taken → its key forgotten → read for the last
 * time, emptied and free again. A whole collection lies between forgetting and emptying, so that no
 * program still writes to it.
 */
export class Table<Row extends TableRow> {
  readonly #index: BpfMap;
  readonly #free: BpfMap;
  readonly #mapped: MappedArray;
  readonly #decoder: RecordDecoder<Row>;
  readonly #live: LiveArray;
  readonly #used: Column;
  readonly #episodes: Column;
  /** Of `used` in a slot, bytes. */
  readonly #usedAt: number;
  readonly #known = new Map<number, Known>();
  #forgotten: ReadonlySet<number> = new Set();
  #last: number;

  /** `retention`: ms without a change after which an entry may go; earlier if it gets crowded. */
  constructor(
    object: BpfObject,
    scope: Scope,
    name: string,
    struct: string,
    private readonly retention: number,
    private readonly clock: () => number = steadyNow,
  ) {
    this.#index = object.map(`${name}_index`);
    this.#free = object.map(`${name}_free`);
    this.#mapped = scope.use(object.map(name).mapped());
    const layout = object.layout(struct);
    this.#decoder = recordDecoder<Row>(layout) as RecordDecoder<Row>;
    this.#live = new LiveArray(this.#mapped);
    const columns = new LiveColumns(layout, this.#mapped);
    this.#used = columns.column('used');
    this.#episodes = columns.column('figures.episodes');
    this.#usedAt = offsetOf(layout, 'used');
    this.#last = clock();
  }

  /** Before a program can ask for one. */
  static fill(object: BpfObject, name: string): void {
    const free = object.map(`${name}_free`);
    const { maxEntries } = object.map(name).spec;
    for (let slot = RESERVED; slot < maxEntries; slot++) append(free, slot);
  }

  /** Share of the slots that are taken. */
  get fullness(): number {
    return (this.#known.size + this.#forgotten.size) / this.#capacity;
  }

  read(): TableSnapshot<Row> {
    const now = this.clock();
    const leaving = [...this.#forgotten].map((slot) => this.#row(slot));
    const entries = this.#entries(now);
    for (const slot of this.#forgotten) {
      this.#bytes(slot).fill(0);
      append(this.#free, slot);
    }
    this.#forgotten = new Set(this.#departing(now).map((slot) => this.#forget(slot)));
    this.#last = now;
    return { entries, overflow: this.#overflow(), leaving };
  }

  get #capacity(): number {
    return Math.max(1, this.#mapped.entries - RESERVED);
  }

  #entries(now: number): Entry<Row>[] {
    const entries: Entry<Row>[] = [];
    for (let slot = RESERVED; slot < this.#mapped.entries; slot++) {
      if (this.#used.at(slot) === 0 || this.#forgotten.has(slot)) continue;
      const row = this.#row(slot);
      const known = this.#known.get(slot) ?? { since: this.#last, episodes: -1, changed: now };
      if (known.episodes !== row.figures.episodes) known.changed = now;
      known.episodes = row.figures.episodes;
      this.#known.set(slot, known);
      entries.push({ slot, row, since: known.since });
    }
    return entries;
  }

  #overflow(): Map<number, Row> {
    const overflow = new Map<number, Row>();
    for (let type = 0; type < RESERVED; type++) {
      if (this.#episodes.at(type) > 0) overflow.set(type, this.#row(type));
    }
    return overflow;
  }

  /** Idle for long; and where it is crowded those that are idle for longest, down to half. */
  #departing(now: number): number[] {
    const idle = [...this.#known]
      .filter(([, { changed }]) => changed < now)
      .toSorted(([, a], [, b]) => a.changed - b.changed);
    const stale = idle.filter(([, { changed }]) => now - changed >= this.retention).length;
    const excess =
      this.#known.size > CROWDED * this.#capacity ? this.#known.size - this.#capacity / 2 : 0;
    return idle.slice(0, Math.max(stale, Math.ceil(excess))).map(([slot]) => slot);
  }

  #forget(slot: number): number {
    const at = slot * this.#mapped.stride;
    this.#live.storeU32(at + this.#usedAt, FORGOTTEN);
    // The key is what a slot begins with.
    this.#index.delete(this.#live.copy(at, this.#index.spec.keySize));
    this.#known.delete(slot);
    return slot;
  }

  #bytes(slot: number): Uint8Array {
    const { bytes, stride } = this.#mapped;
    return bytes.subarray(slot * stride, (slot + 1) * stride);
  }

  #row(slot: number): Row {
    const { size } = this.#decoder.layout;
    const { buffer } = this.#live.copy(slot * this.#mapped.stride, size);
    return this.#decoder.decode(new DataView(buffer), 0, size);
  }
}

function offsetOf({ name, fields }: StructLayout, field: string): number {
  const found = fields.find((each) => each.name === field);
  if (found === undefined) {
    throw new MemWatcherError('LAYOUT_INVALID', `${name} has no ${field}`);
  }
  return found.offset;
}

function append(queue: BpfMap, slot: number): void {
  queue.update(new Uint8Array(0), new Uint8Array(new Uint32Array([slot]).buffer));
}
