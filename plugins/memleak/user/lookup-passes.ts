/**
 * The passes of passes.h from user space, which reads maps in batches: what each program does to one
 * element is done here to all elements of a batch.
 */
import type { BpfMap, BpfObject, MapBatch, MappedArray } from '../../../core/bpf/host.js';
import type { StructLayout } from '../../../core/bpf/layout.js';
import type { Scope } from '../../../core/scope.js';
import { AgeSums, octaveOf } from '../walk/age-sums.js';
import { deleteAt, keyAt, offsetOf, pick, wide, words, wordsOf } from '../walk/elements.js';
import { STEP } from '../walk/walk.js';
import { KEY, LIVE, ONE, SLOTS } from './decoder.js';
import { type Heir, Heirs } from './heirs.js';

/** enum ml_target_state. */
const FOLLOWED = 1;
/** ML_AGES. */
const AGES = 32;
/** Of the lower half of `where`. */
const SLOT_MASK = SLOTS - 1;

const COUNTS = ['hits', 'recorded', 'unknown_frees'] as const;

export class LookupPasses {
  readonly #object: BpfObject;
  readonly #scope: Scope;
  readonly #live: BpfMap;
  readonly #threads: BpfMap;
  readonly #targets: MappedArray;
  readonly #target: StructLayout;
  readonly #thread: StructLayout;
  #ages: AgeSums | undefined;
  #heirs: Heirs | undefined;

  constructor(object: BpfObject, scope: Scope) {
    this.#object = object;
    this.#scope = scope;
    this.#live = object.map('live');
    this.#threads = object.map('threads');
    this.#targets = scope.use(object.map('targets').mapped());
    this.#target = object.layout('ml_target');
    this.#thread = object.layout('ml_thread');
  }

  /** As `Passes.live`. */
  live(now?: number): number {
    const ages = now === undefined ? undefined : this.#ageSums();
    const isFollowed = this.#followed();
    let kept = 0;
    for (const batch of this.#live.batches(STEP)) {
      const { keys, values } = wordsOf(batch);
      const gone: number[] = [];
      for (let n = 0; n < batch.count; n++) {
        if (!isFollowed[keys[n * KEY.words + KEY.target] ?? 0]) {
          gone.push(n);
          continue;
        }
        kept++;
        if (ages && now !== undefined) addAge(ages, values, n * LIVE.words, now);
      }
      // The key has the target's number, which no other target gets while this pass runs.
      deleteAt(this.#live, batch, gone);
    }
    ages?.store();
    return kept;
  }

  /** As `Passes.threads`; returns how many threads there are. */
  threads(): number {
    const target = offsetOf(this.#thread, 'target');
    const counts = offsetOf(this.#thread, 'counts');
    const isFollowed = this.#followed();
    const sums = new Map<number, number[]>();
    let kept = 0;
    const { valueSize } = this.#threads.spec;
    for (const batch of this.#threads.batches(STEP)) {
      const view = viewOf(batch.values);
      const gone: number[] = [];
      for (let n = 0; n < batch.count; n++) {
        const at = n * valueSize;
        const number = view.getUint32(at + target, true);
        if (!isFollowed[number]) {
          gone.push(n);
          continue;
        }
        kept++;
        const sum = sums.get(number) ?? COUNTS.map(() => 0);
        sums.set(
          number,
          sum.map((before, i) => before + Number(view.getBigUint64(at + counts + i * 8, true))),
        );
      }
      // The thread may have ended, and its id be that of a thread of a target that is traced.
      const isGone = (value: Uint8Array) => !isFollowed[viewOf(value).getUint32(target, true)];
      for (const n of gone) this.#threads.takeIf(keyAt(this.#threads, batch, n), isGone);
    }
    this.#storePresent(isFollowed, sums);
    return kept;
  }

  /** As `Passes.inherit`. */
  inherit(from: number, to: number): number {
    const heir = this.#heirsOf().of(to);
    let missed = 0;
    for (const batch of this.#live.batches(STEP)) {
      missed += this.#copy(batch, elementsOf(batch, from), heir);
    }
    heir.store();
    return missed;
  }

  /** Removes all of a target that no program records for yet. */
  clear(target: number): void {
    for (const batch of this.#live.batches(STEP)) {
      deleteAt(this.#live, batch, elementsOf(batch, target));
    }
    this.#heirsOf().clear(target);
  }

  #heirsOf(): Heirs {
    this.#heirs ??= new Heirs(this.#object, this.#scope);
    return this.#heirs;
  }

  #copy(batch: MapBatch, own: readonly number[], heir: Heir): number {
    const { keySize, valueSize } = this.#live.spec;
    const keys = pick(batch.keys, own, keySize);
    const values = pick(batch.values, own, valueSize);
    const [keyWords, liveWords] = [words(keys), words(values)];
    for (let n = 0; n < own.length; n++) {
      keyWords[n * KEY.words + KEY.target] = heir.target;
      const where = n * LIVE.words + LIVE.where;
      const low = liveWords[where] ?? 0;
      liveWords[where] = ((low & ~SLOT_MASK) | heir.slotFor(low & SLOT_MASK)) >>> 0;
    }
    const written = this.#live.updateMany(keys, values);
    for (let n = 0; n < written; n++) {
      const at = n * LIVE.words;
      const slot = (liveWords[at + LIVE.where] ?? 0) & SLOT_MASK;
      heir.count(slot, wide(liveWords, at + LIVE.size), wide(liveWords, at + LIVE.weight));
    }
    return own.length - written;
  }

  /** By number of a target. Only user space changes it. */
  #followed(): readonly boolean[] {
    const { stride, entries, bytes } = this.#targets;
    const view = viewOf(bytes);
    const state = offsetOf(this.#target, 'state');
    return Array.from(
      { length: entries },
      (_, number) => view.getUint32(number * stride + state, true) === FOLLOWED,
    );
  }

  #ageSums(): AgeSums {
    this.#ages ??= new AgeSums(this.#scope.use(this.#object.map('ages').mapped()), AGES);
    this.#ages.begin();
    return this.#ages;
  }

  #storePresent(
    isFollowed: readonly boolean[],
    sums: ReadonlyMap<number, readonly number[]>,
  ): void {
    const view = viewOf(this.#targets.bytes);
    const present = offsetOf(this.#target, 'present');
    for (const [number, is] of isFollowed.entries()) {
      if (!is) continue;
      const at = number * this.#targets.stride + present;
      for (const n of COUNTS.keys()) {
        view.setBigUint64(at + n * 8, BigInt(sums.get(number)?.[n] ?? 0), true);
      }
    }
  }
}

/** `add_age` of passes.h. */
function addAge(ages: AgeSums, values: Uint32Array, at: number, now: number): void {
  const low = values[at + LIVE.where] ?? 0;
  const high = values[at + LIVE.where + 1] ?? 0;
  // From bit ML_SLOT_BITS on the time in 2^20 ns.
  const born = (high * 2 ** 8 + (low >>> 24)) * 2 ** 20;
  const weight = wide(values, at + LIVE.weight);
  const size = wide(values, at + LIVE.size);
  const age = Math.max(0, now - born);
  const slot = low & SLOT_MASK;
  ages.add(slot, Math.min(AGES - 1, octaveOf(age)), weight, estimate(size, weight));
  if (age > ages.oldest(slot)) ages.setOldest(slot, age);
}

/** `estimate` of sampling.h. */
const estimate = (size: number, weight: number): number =>
  weight === ONE ? size : Math.floor((size * weight) / ONE);

/** Numbers of the elements that are the target's. */
function elementsOf(batch: MapBatch, target: number): number[] {
  const { keys } = wordsOf(batch);
  const own: number[] = [];
  for (let n = 0; n < batch.count; n++) {
    if (keys[n * KEY.words + KEY.target] === target) own.push(n);
  }
  return own;
}

const viewOf = (bytes: Uint8Array) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
