/** `see_live` of memleak-kernel.bpf.c for all outstanding allocations, from user space. */
import type { BpfMap, BpfObject, MapBatch, MappedArray } from '../../../core/bpf/host.js';
import type { Closable } from '../../../core/scope.js';
import { AgeSums, octaveOf } from '../walk/age-sums.js';
import { keyAt, offsetOf, wide, words } from '../walk/elements.js';
import { STEP } from '../walk/walk.js';

/** KERNEL_AGES of memleak-kernel.h. */
const AGES = 40;
/** struct kernel_live, in words of 32 bits. */
const LIVE = { words: 6, time: 0, bytes: 2, slot: 4, weight: 5 } as const;

export class AgeLookups implements Closable {
  readonly #live: BpfMap;
  readonly #ages: MappedArray;
  readonly #sums: AgeSums;
  readonly #stacks: MappedArray;
  readonly #present: MappedArray;
  readonly #at: (member: string) => number;

  constructor(object: BpfObject) {
    this.#live = object.map('live');
    this.#ages = object.map('ages').mapped();
    this.#sums = new AgeSums(this.#ages, AGES);
    this.#stacks = object.map('stacks').mapped();
    this.#present = object.map('present').mapped();
    const layout = object.layout('kernel_stack');
    this.#at = (member) => offsetOf(layout, member);
  }

  /** Gives how many there are. */
  run(): number {
    const now = Number(process.hrtime.bigint());
    const retired = this.#retired();
    let kept = 0;
    this.#sums.begin();
    for (const batch of this.#live.batches(STEP)) {
      const values = words(batch.values);
      const gone: number[] = [];
      for (let n = 0; n < batch.count; n++) {
        const at = n * LIVE.words;
        const slot = values[at + LIVE.slot] ?? 0;
        if (retired.has(slot)) {
          gone.push(n);
          continue;
        }
        kept++;
        this.#add(slot, values, at, now);
      }
      this.#forget(batch, gone, retired);
    }
    this.#sums.store();
    return kept;
  }

  close(): void {
    for (const mapped of [this.#ages, this.#stacks, this.#present]) mapped.close();
  }

  #add(slot: number, values: Uint32Array, at: number, now: number): void {
    const time = wide(values, at + LIVE.time);
    const octave = octaveOf(Math.max(0, now - time));
    if (octave >= AGES || slot >= this.#stacks.entries) return;
    this.#sums.add(slot, octave, values[at + LIVE.weight] ?? 0, wide(values, at + LIVE.bytes));
    const oldest = this.#sums.oldest(slot);
    if (oldest === 0 || time < oldest) this.#sums.setOldest(slot, time);
  }

  /** Slots. Only user space retires them. */
  #retired(): ReadonlySet<number> {
    const { bytes, stride, entries } = this.#stacks;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const at = this.#at('retired');
    const slots = Array.from({ length: entries }, (_, slot) => slot);
    return new Set(slots.filter((slot) => view.getUint16(slot * stride + at, true) !== 0));
  }

  /**
   * `forget` of live.h. The key is an address: since the batch was read, the object may have been freed
   * and its address given to one whose stack is not retired.
   */
  #forget(batch: MapBatch, which: readonly number[], retired: ReadonlySet<number>): void {
    const isRetired = (value: Uint8Array) => retired.has(words(value)[LIVE.slot] ?? 0);
    for (const n of which) {
      const key = keyAt(this.#live, batch, n);
      const removed = this.#live.takeIf(key, isRetired);
      if (removed === undefined) continue;
      this.#leaveCell(new BigUint64Array(key.buffer)[0] ?? 0n);
      this.#countFreed(words(removed));
    }
  }

  /** `add_to_cell` of live.h. */
  #leaveCell(key: bigint): void {
    const { bytes, stride, entries } = this.#present;
    const mixed = BigInt.asUintN(64, (key >> 12n) * 0x9e37_79b9_7f4a_7c15n);
    const cell = Number((mixed >> 32n) & BigInt(entries - 1));
    const cells = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);
    Atomics.sub(cells, (cell * stride) >>> 2, 1);
  }

  /** `count_freed` of live.h. */
  #countFreed(value: Uint32Array): void {
    const { bytes, stride } = this.#stacks;
    const sums = new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 3);
    const slot = value[LIVE.slot] ?? 0;
    const member = (name: string) => (slot * stride + this.#at(name)) >>> 3;
    Atomics.add(sums, member('freed_bytes'), BigInt(wide(value, LIVE.bytes)));
    if (value[LIVE.weight]) Atomics.add(sums, member('freed_count'), 1n);
  }
}
