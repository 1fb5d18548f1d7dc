/** Stacks of a target that begins with what another has: `slot_of_heir` of passes.h, from user space. */
import type { BpfMap, BpfObject, MappedArray } from '../../../core/bpf/host.js';
import { LiveArray } from '../../../core/bpf/live-columns.js';
import { MemWatcherError } from '../../../core/errors.js';
import type { Scope } from '../../../core/scope.js';
import { ONE } from './decoder.js';
import { u32 } from './target-table.js';

/** struct ml_slot, in words of 64 bits. */
const SLOT = { hash: 0, bytes: 1, allocated: 2, variance: 3, target: 7 } as const;

interface Sums {
  bytes: bigint;
  allocated: bigint;
  variance: bigint;
}

/** No program may record for the heir meanwhile. */
export class Heirs {
  readonly #slots: MappedArray;
  readonly #slotWords: BigUint64Array;
  readonly #live: LiveArray;
  readonly #stacks: MappedArray;
  readonly #sites: BpfMap;
  readonly #spare: BpfMap;

  constructor(object: BpfObject, scope: Scope) {
    this.#slots = scope.use(object.map('slots').mapped());
    const { buffer, byteOffset, byteLength } = this.#slots.bytes;
    this.#slotWords = new BigUint64Array(buffer, byteOffset, byteLength >>> 3);
    this.#live = new LiveArray(this.#slots);
    this.#stacks = scope.use(object.map('stacks').mapped());
    this.#sites = object.map('sites');
    this.#spare = object.map('spare');
  }

  of(target: number): Heir {
    return new Heir(target, (slot) => this.#slotFor(target, slot), this.#add.bind(this));
  }

  /** What was allocated by the target is not any more. */
  clear(target: number): void {
    for (let slot = 0; slot < this.#slots.entries; slot++) {
      const at = this.#at(slot);
      const isOwn = slot === target || Number(this.#slotWords[at + SLOT.target]) === target;
      if (isOwn) this.#slotWords.fill(0n, at + SLOT.bytes, at + SLOT.target);
    }
  }

  /** The target's own slot where there is no stack, or no slot is free. */
  #slotFor(target: number, slot: number): number {
    const hash = slot < this.#slots.entries ? this.#live.u64(8 * this.#at(slot)) : 0n;
    if (hash === 0n) return target;
    const site = u32(Number(hash & 0xffff_ffffn), Number(hash >> 32n), target, 0);
    const known = this.#sites.lookup(site) ?? this.#create(site, hash, target, slot);
    return known === undefined ? target : first(known);
  }

  #create(site: Uint8Array, hash: bigint, target: number, slot: number): Uint8Array | undefined {
    const spare = this.#spare.pop();
    if (spare === undefined) return undefined;
    const fresh = first(spare);
    try {
      this.#sites.update(site, spare);
    } catch (error) {
      if (!(error instanceof MemWatcherError)) throw error;
      this.#spare.update(new Uint8Array(0), spare);
      return undefined;
    }
    const { bytes, stride } = this.#stacks;
    bytes.copyWithin(fresh * stride, slot * stride, (slot + 1) * stride);
    this.#slotWords[this.#at(fresh) + SLOT.target] = BigInt(target);
    this.#live.storeU64(8 * (this.#at(fresh) + SLOT.hash), hash);
    return spare;
  }

  #add(slot: number, { bytes, allocated, variance }: Sums): void {
    const at = this.#at(slot);
    const add = (member: number, value: bigint) => {
      this.#slotWords[at + member] = (this.#slotWords[at + member] ?? 0n) + value;
    };
    add(SLOT.bytes, bytes);
    add(SLOT.allocated, allocated);
    add(SLOT.variance, variance);
  }

  #at(slot: number): number {
    return (slot * this.#slots.stride) >>> 3;
  }
}

/** One target that inherits. */
export class Heir {
  readonly #slots = new Map<number, number>();
  readonly #sums = new Map<number, Sums>();

  constructor(
    readonly target: number,
    private readonly find: (slot: number) => number,
    private readonly add: (slot: number, sums: Sums) => void,
  ) {}

  /** The heir's slot for the stack of that slot. */
  slotFor(slot: number): number {
    const known = this.#slots.get(slot) ?? this.find(slot);
    this.#slots.set(slot, known);
    return known;
  }

  /** `count_allocated` of live.h. */
  count(slot: number, size: number, weight: number): void {
    const sums = this.#sums.get(slot) ?? { bytes: 0n, allocated: 0n, variance: 0n };
    const own = BigInt(size);
    const bytes = weight === ONE ? own : (own * BigInt(weight)) / BigInt(ONE);
    sums.bytes += bytes;
    sums.allocated += BigInt(weight);
    if (weight !== ONE) sums.variance += bytes * (bytes - own);
    this.#sums.set(slot, sums);
  }

  /** What was counted, into the slots. */
  store(): void {
    for (const [slot, sums] of this.#sums) this.add(slot, sums);
    this.#sums.clear();
  }
}

const first = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
