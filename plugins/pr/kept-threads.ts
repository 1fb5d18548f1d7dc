import { existsSync } from 'node:fs';
import type { BpfMap, BpfObject } from '../../core/bpf/host.js';
import { type RecordDecoder, recordDecoder } from '../../core/bpf/record.js';
import type { PrRunning } from './events.gen.js';

/** ms. A thread that finds no room among the kept is followed as well, only dearer. */
const SWEEP_EVERY = 60_000;

export interface KeptOptions {
  /** Whether there is a thread of that number. */
  readonly exists?: (tid: number) => boolean;
  readonly clock?: () => number;
}

/** Threads of which the kernel keeps where it writes their episodes (episodes.h): who is gone leaves. */
export class KeptThreads {
  readonly #map: BpfMap;
  readonly #decoder: RecordDecoder<PrRunning>;
  readonly #exists: (tid: number) => boolean;
  readonly #clock: () => number;
  #sweptAt: number;

  constructor(object: BpfObject, { exists = inProc, clock = Date.now }: KeptOptions = {}) {
    this.#map = object.map('kept');
    this.#decoder = recordDecoder<PrRunning>(
      object.layout('pr_running'),
    ) as RecordDecoder<PrRunning>;
    this.#exists = exists;
    this.#clock = clock;
    this.#sweptAt = clock();
  }

  /** Once a collection; does something once a minute. */
  sweep(): void {
    const now = this.#clock();
    if (now - this.#sweptAt < SWEEP_EVERY) return;
    this.#sweptAt = now;
    for (const key of [...this.#map.keys()]) {
      const tid = new DataView(key.buffer, key.byteOffset).getUint32(0, true);
      // /proc may be that of another pid namespace, in which nobody seems to be.
      if (!this.#exists(tid) && !this.#isActive(key)) this.#map.delete(key);
    }
  }

  #isActive(key: Uint8Array): boolean {
    const value = this.#map.lookup(key);
    if (value === undefined) return false;
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    const { at } = this.#decoder.decode(view, 0, value.byteLength);
    return at.some(({ active }) => active !== 0);
  }
}

const inProc = (tid: number): boolean => existsSync(`/proc/${tid}`);
