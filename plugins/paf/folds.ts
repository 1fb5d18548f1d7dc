import type { Column } from '../../core/bpf/columns.js';
import type { BpfObject, MappedArray } from '../../core/bpf/host.js';
import type { FieldLayout, StructLayout } from '../../core/bpf/layout.js';
import { LiveArray, LiveColumns } from '../../core/bpf/live-columns.js';
import { type RecordDecoder, recordDecoder, type WithBigints } from '../../core/bpf/record.js';
import { MemWatcherError } from '../../core/errors.js';
import type { WhoRecord } from '../../core/identity/who.js';
import type { PafFold } from './events.gen.js';
import type { Request } from './failure.js';

/** PAF_ORDERS * PAF_TYPES of paf.h: slots for failures that found none of their own. */
export const SPARE = 16 * 8;
const TYPES = 8;
/** Of a total: none, so that the next look goes through all slots. */
const UNKNOWN = -1;

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
  readonly #live: LiveArray;
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
    this.#total = new LiveColumns(object.layout('paf_totals'), totals).column('failures');
    const layout = object.layout('paf_fold');
    const columns = new LiveColumns(layout, mapped);
    this.#object = object;
    this.#mapped = mapped;
    this.#live = new LiveArray(mapped);
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
      if (count === counted) continue;
      const key = this.#keyOf(slot);
      if (key !== undefined) changes.push(this.#change(key, count, counted));
      else this.#seen = UNKNOWN; // another key is being written: its count is read next time
    }
    return changes;
  }

  /** The next such failure takes another slot; this one may still be written to. */
  drop({ slot, generation }: FoldKey): void {
    if (this.#freed.get(slot) === generation) return; // its key may lead to another slot by now
    const at = slot * this.#mapped.stride + this.#key.offset;
    this.#object.map('slots').delete(this.#live.copy(at, this.#key.size));
  }

  /** Long enough after `drop` that no program still writes to it. */
  free({ slot, generation }: FoldKey): void {
    this.#keys[slot] = undefined;
    if (this.#freed.get(slot) === generation) return; // a late writer made it look taken
    this.#freed.set(slot, generation);
    freeSlot(this.#object, slot);
  }

  #change(key: FoldKey, count: number, counted: number): FoldChange {
    const { slot } = key;
    const others = this.#others.at(slot);
    const othersBefore = this.#countedOthers[slot] ?? 0;
    this.#counted[slot] = count;
    this.#countedOthers[slot] = others;
    return {
      key,
      count: count - counted,
      others: others - othersBefore,
      first: this.#first.at(slot),
      last: this.#last.at(slot),
    };
  }

  /** Decoded once per generation; undefined while a program writes it. */
  #keyOf(slot: number): FoldKey | undefined {
    const generation = this.#generation.at(slot);
    const known = this.#keys[slot];
    if (known?.generation === generation) return known;
    const key = slot < SPARE ? spare(slot) : this.#decode(slot, generation);
    if (key !== undefined) this.#keys[slot] = key;
    return key;
  }

  #decode(slot: number, generation: number): FoldKey | undefined {
    const { size } = this.#record.layout;
    const { buffer } = this.#live.copy(slot * this.#mapped.stride, size);
    if (generation % 2 !== 0 || this.#generation.at(slot) !== generation) return undefined;
    return keyOf(slot, generation, this.#record.decode(new DataView(buffer), 0, size));
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

function keyOf(slot: number, generation: number, { key, who, frames, stack }: FoldRecord): FoldKey {
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
