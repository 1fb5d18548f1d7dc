/**
 * The slots of the table `stacks`: which are used, under which key, and when one goes back. A slot
 * that holds nothing is given back in two steps, a collection apart, for a program may have found it
 * just before its key went.
 */
import type { BpfMap, BpfObject, MappedArray } from '../../../core/bpf/host.js';
import type { StructLayout } from '../../../core/bpf/layout.js';
import { LiveArray, LiveColumns } from '../../../core/bpf/live-columns.js';
import { MemWatcherError } from '../../../core/errors.js';

/** KERNEL_FRAMES of memleak-kernel.h. */
export const FRAMES = 48;
/** Of all slots: with fewer free, those of stacks that hold nothing are given back. */
const LOW = 0.25;

export class Slots {
  readonly columns: LiveColumns;
  readonly #mapped: MappedArray;
  readonly #live: LiveArray;
  readonly #view: DataView;
  readonly #keys: BpfMap;
  readonly #free: BpfMap;
  readonly #retiredAt: number;
  readonly #firstSeen;
  readonly #allocated;
  readonly #freed;
  readonly #layout;
  /** By slot: how often it was given back. */
  readonly #lives: Uint32Array;
  readonly #limbo = new Set<number>();

  constructor(object: BpfObject) {
    const layout = object.layout('kernel_stack');
    this.#mapped = object.map('stacks').mapped();
    const { bytes, entries } = this.#mapped;
    this.columns = new LiveColumns(layout, this.#mapped);
    this.#live = new LiveArray(this.#mapped);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#keys = object.map('slots');
    this.#free = object.map('free_slots');
    this.#lives = new Uint32Array(entries);
    this.#retiredAt = offsetOf(layout, 'retired');
    this.#layout = {
      hash: offsetOf(layout, 'hash'),
      kind: offsetOf(layout, 'kind'),
      origin: offsetOf(layout, 'origin'),
    };
    this.#firstSeen = this.columns.column('first_seen');
    this.#allocated = this.columns.column('allocated_count');
    this.#freed = this.columns.column('freed_count');
    for (let slot = 0; slot < entries; slot++) this.#giveBack(slot);
  }

  /** Those that are somebody's. */
  *used(): IterableIterator<number> {
    for (let slot = 0; slot < this.#mapped.entries; slot++) {
      if (this.#firstSeen.at(slot) > 0 && !this.#limbo.has(slot)) yield slot;
    }
  }

  /** Of no other stack before or after. */
  keyOf(slot: number): string {
    return `kernel-${slot}-${this.#lives[slot] ?? 0}`;
  }

  isRetired(slot: number): boolean {
    return this.#view.getUint16(slot * this.#mapped.stride + this.#retiredAt, true) !== 0;
  }

  /** The next pass over what is outstanding forgets all of this stack. */
  retire(slot: number): void {
    this.#view.setUint16(slot * this.#mapped.stride + this.#retiredAt, 1, true);
  }

  /** Once a collection: gives back what nobody holds. Returns the share of slots that is used. */
  recycle(): number {
    for (const slot of this.#limbo) {
      if (this.#allocated.at(slot) !== this.#freed.at(slot)) continue;
      this.#limbo.delete(slot);
      this.#wipe(slot);
      this.#giveBack(slot);
    }
    const used = [...this.used()];
    const free = this.#mapped.entries - used.length - this.#limbo.size;
    const low = free < this.#mapped.entries * LOW;
    for (const slot of used) {
      if (this.#allocated.at(slot) !== this.#freed.at(slot)) continue;
      if (low || this.isRetired(slot)) this.#forget(slot);
    }
    return used.length / this.#mapped.entries;
  }

  #forget(slot: number): void {
    const { hash, kind, origin } = this.#layout;
    const at = slot * this.#mapped.stride;
    const key = new DataView(new ArrayBuffer(16));
    key.setBigUint64(0, this.#live.u64(at + hash), true);
    key.setUint32(8, this.#live.u32(at + kind), true);
    key.setUint32(12, this.#live.u32(at + origin), true);
    this.#keys.delete(new Uint8Array(key.buffer));
    this.#limbo.add(slot);
  }

  #wipe(slot: number): void {
    const { bytes, stride } = this.#mapped;
    bytes.fill(0, slot * stride, (slot + 1) * stride);
    this.#lives[slot] = (this.#lives[slot] ?? 0) + 1;
  }

  #giveBack(slot: number): void {
    this.#free.update(new Uint8Array(0), new Uint8Array(new Uint32Array([slot]).buffer));
  }
}

function offsetOf({ fields }: StructLayout, name: string): number {
  const field = fields.find((each) => each.name === name);
  if (field) return field.offset;
  throw new MemWatcherError('LAYOUT_INVALID', `kernel_stack has no ${name}`);
}
