import { type Column, Columns } from '../../core/bpf/columns.js';
import type { BpfObject, MappedArray } from '../../core/bpf/host.js';
import type { FieldLayout, StructLayout } from '../../core/bpf/layout.js';
import { type RecordDecoder, recordDecoder, type WithBigints } from '../../core/bpf/record.js';
import { MemWatcherError } from '../../core/errors.js';
import type { WhoRecord } from '../../core/identity/who.js';
import type { PafFold } from './events.gen.js';
import type { Request } from './failure.js';

/** PAF_ORDERS * PAF_TYPES of paf.h: slots for failures that found none of their own. */
export const SPARE = 16 * 8;
const TYPES = 8;

/** What all failures of a slot have in common. */
export interface FoldKey {
  readonly slot: number;
  readonly generation: number;
  readonly request: Request;
  /** Of the first failure; undefined for the slots of what cannot be told apart. */
  readonly who: WhoRecord | undefined;
  /** Return addresses, innermost first. */
  readonly stack: readonly bigint[];
}

/** Failures of one slot since it was last asked for. */
export interface FoldChange {
  readonly key: FoldKey;
  readonly count: number;
  /** Of `count`: of other processes than that of `who`. */
  readonly others: number;
  /** CLOCK_MONOTONIC ns; `first` of all failures of the key, not only of these. */
  readonly first: number;
  readonly last: number;
}

type FoldRecord = WithBigints<PafFold, 'stack'>;

/**
 * The map `folds`, live. Counts only grow, whatever a slot is used for: what is new is what was
 * added since the last look, and nothing has to be reset while the kernel writes.
 */
export class Folds {
  readonly #object: BpfObject;
  readonly #mapped: MappedArray;
  readonly #record: RecordDecoder<FoldRecord>;
  readonly #key: FieldLayout;
  readonly #count: Column;
  readonly #others: Column;
  readonly #generation: Column;
  readonly #first: Column;
  readonly #last: Column;
  /** Of all slots, and what it was at the last look. */
  readonly #total: Column;
  #seen = 0;
  readonly #counted: Float64Array;
  readonly #countedOthers: Float64Array;
  readonly #keys: (FoldKey | undefined)[];
  /** By slot, the generation that gave it back. */
  readonly #freed = new Map<number, number>();

  /** `mapped` is of the map `folds` of `object`, `totals` of the map of that name. */
  constructor(object: BpfObject, mapped: MappedArray, totals: MappedArray) {
    const total = new Columns(object.layout('paf_totals')).bind(totals.bytes, totals.stride);
    this.#total = total.column('failures');
    const layout = object.layout('paf_fold');
    const columns = new Columns(layout).bind(mapped.bytes, mapped.stride);
    this.#object = object;
    this.#mapped = mapped;
    this.#key = fieldOf(layout, 'key');
    this.#record = recordDecoder<PafFold, 'stack'>(layout, { bigints: ['stack'] });
    this.#count = columns.column('count');
    this.#others = columns.column('others');
    this.#generation = columns.column('generation');
    this.#first = columns.column('first');
    this.#last = columns.column('last');
    this.#counted = new Float64Array(mapped.entries);
    this.#countedOthers = new Float64Array(mapped.entries);
    this.#keys = new Array<FoldKey | undefined>(mapped.entries).fill(undefined);
  }

  get capacity(): number {
    return this.#mapped.entries - SPARE;
  }

  /** Slots that have failures since the last call. */
  changes(): FoldChange[] {
    // It grows after the slot's own count: what comes meanwhile is seen the next time.
    const total = this.#total.at(0);
    if (total === this.#seen) return [];
    this.#seen = total;
    return this.#scan();
  }

  #scan(): FoldChange[] {
    const changes: FoldChange[] = [];
    for (let slot = 0; slot < this.#mapped.entries; slot++) {
      const count = this.#count.at(slot);
      const counted = this.#counted[slot] ?? 0;
      if (count !== counted) changes.push(this.#change(slot, count, counted));
    }
    return changes;
  }

  /** The next such failure takes another slot; this one may still be written to. */
  drop({ slot, generation }: FoldKey): void {
    if (this.#freed.get(slot) === generation) return; // its key may lead to another slot by now
    const { bytes, stride } = this.#mapped;
    const at = slot * stride + this.#key.offset;
    this.#object.map('slots').delete(bytes.slice(at, at + this.#key.size));
  }

  /** Long enough after `drop` that no program still writes to it. */
  free({ slot, generation }: FoldKey): void {
    this.#keys[slot] = undefined;
    if (this.#freed.get(slot) === generation) return; // a late writer made it look taken
    this.#freed.set(slot, generation);
    freeSlot(this.#object, slot);
  }

  #change(slot: number, count: number, counted: number): FoldChange {
    const others = this.#others.at(slot);
    const othersBefore = this.#countedOthers[slot] ?? 0;
    this.#counted[slot] = count;
    this.#countedOthers[slot] = others;
    return {
      key: this.#keyOf(slot),
      count: count - counted,
      others: others - othersBefore,
      first: this.#first.at(slot),
      last: this.#last.at(slot),
    };
  }

  /** Decoded once a generation. */
  #keyOf(slot: number): FoldKey {
    const generation = this.#generation.at(slot);
    const known = this.#keys[slot];
    if (known?.generation === generation) return known;
    const key: FoldKey = slot < SPARE ? spare(slot) : keyOf(slot, this.#decode(slot));
    this.#keys[slot] = key;
    return key;
  }

  #decode(slot: number): FoldRecord {
    const { bytes, stride } = this.#mapped;
    const copy = bytes.slice(slot * stride, slot * stride + this.#record.layout.size);
    return this.#record.decode(new DataView(copy.buffer), 0, copy.length);
  }
}

/** Before a program can run: all slots of a loaded object but the spare ones may be taken. */
export function freeAll(object: BpfObject, capacity: number): void {
  for (let slot = SPARE; slot < SPARE + capacity; slot++) freeSlot(object, slot);
}

function freeSlot(object: BpfObject, slot: number): void {
  const value = new Uint8Array(new Uint32Array([slot]).buffer);
  object.map('free_slots').update(new Uint8Array(0), value);
}

function spare(slot: number): FoldKey {
  const request = { order: Math.floor(slot / TYPES), migrateType: slot % TYPES, gfp: undefined };
  return { slot, generation: 0, request, who: undefined, stack: [] };
}

function keyOf(slot: number, { generation, key, who, frames, stack }: FoldRecord): FoldKey {
  const request = { order: key.order, gfp: key.gfp, migrateType: key.migrate_type };
  return { slot, generation, request, who, stack: stack.slice(0, frames) };
}

function fieldOf(layout: StructLayout, name: string): FieldLayout {
  const field = layout.fields.find((one) => one.name === name);
  if (field !== undefined) return field;
  throw new MemWatcherError('LAYOUT_INVALID', `struct ${layout.name} has no ${name}`, {
    hint: 'the BPF object and the agent are of different builds: build both again',
  });
}
