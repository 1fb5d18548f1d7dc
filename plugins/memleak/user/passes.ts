import { Columns } from '../../../core/bpf/columns.js';
import type { LoadedBpf, MappedArray } from '../../../core/bpf/host.js';
import type { Scope } from '../../../core/scope.js';
import { LIMIT, openWalk, tryWalks, type Walk, type WalkedMap } from '../walk/walk.js';
import { LookupPasses } from './lookup-passes.js';

const LIVE: WalkedMap = {
  map: 'live',
  forEach: 'each_live',
  iterator: 'iterate_live',
  limit: LIMIT,
};
const THREADS: WalkedMap = {
  map: 'threads',
  forEach: 'each_thread',
  iterator: 'iterate_threads',
  limit: LIMIT,
};
/** A copy costs several times what a look costs. */
export const HERITAGE: WalkedMap = {
  map: 'live',
  forEach: 'each_heritage',
  iterator: 'iterate_heritage',
  limit: 512,
};

export const WALKED_MAPS: readonly WalkedMap[] = [LIVE, THREADS, HERITAGE];

/** Throws what refuses the walk that was loaded. */
export const tryPasses = (loaded: LoadedBpf): void => tryWalks(loaded, WALKED_MAPS);

/** Passes over every live allocation, or every thread. */
export class Passes {
  readonly #live: Walk;
  readonly #threads: Walk;
  readonly #heritage: Walk;
  readonly #lookups: LookupPasses;
  readonly #memory: MappedArray;
  readonly #at: (member: string) => number;
  readonly #offset: (member: string) => number;
  /** Elements of `live`, as of the last pass over it. */
  #size = 0;
  /** Elements of `threads`, as of the last pass by look-ups. */
  #threadCount = 0;

  constructor(loaded: LoadedBpf, scope: Scope) {
    const { object } = loaded;
    this.#live = scope.use(openWalk(loaded, LIVE));
    this.#threads = scope.use(openWalk(loaded, THREADS));
    this.#heritage = scope.use(openWalk(loaded, HERITAGE));
    this.#lookups = new LookupPasses(object, scope);
    this.#memory = scope.use(object.map('pass').mapped());
    const layout = object.layout('ml_pass');
    const rows = new Columns(layout).bind(this.#memory.bytes, this.#memory.stride);
    this.#at = (member) => rows.column(member).at(0);
    this.#offset = (member) => layout.fields.find(({ name }) => name === member)?.offset ?? 0;
  }

  /**
   * Removes allocations of targets that were forgotten; with `now` (CLOCK_MONOTONIC ns) it also sums up
   * ages, which were cleared before. Returns how many allocations there are.
   */
  live(now?: number): number {
    this.#memory.bytes.fill(0);
    this.#set64('now', now ?? 0);
    const isWhole = this.#live.run(this.#size) === 'whole';
    this.#size = isWhole ? this.#at('kept') : this.#lookups.live(now);
    return this.#size;
  }

  /** Removes threads of targets that were forgotten; sums up what the others count. */
  threads(): void {
    if (this.#threads.run(this.#threadCount) === 'whole') return;
    this.#threadCount = this.#lookups.threads();
  }

  /** Copies the allocations of one target to another; returns how many were dropped. */
  inherit(from: number, to: number): number {
    this.#memory.bytes.fill(0);
    this.#set32('from', from);
    this.#set32('to', to);
    const visited = this.#heritage.run(this.#size);
    if (visited === 'whole') return this.#at('missed');
    // What was copied before the program gave up would be counted twice.
    if (visited === 'part') this.#lookups.clear(to);
    return this.#lookups.inherit(from, to);
  }

  #set64(member: string, value: number): void {
    this.#view.setBigUint64(this.#offset(member), BigInt(value), true);
  }

  #set32(member: string, value: number): void {
    this.#view.setUint32(this.#offset(member), value, true);
  }

  get #view(): DataView {
    const { buffer, byteOffset, byteLength } = this.#memory.bytes;
    return new DataView(buffer, byteOffset, byteLength);
  }
}
