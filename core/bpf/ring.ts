import { MemWatcherError } from '../errors.js';
import type { RingReader } from './host.js';

/** linux/bpf.h: bits of the u32 that starts a record's header of 8 bytes. */
const BUSY = 1 << 31;
const DISCARDED = 1 << 30;
const LENGTH = DISCARDED - 1;
const HEADER = 8;

/** The two mappings of a BPF ring buffer (kernel/bpf/ringbuf.c). */
export interface RingMemory {
  /** One page, ours to write: how far we have read, u64 at 0. */
  readonly consumer: ArrayBuffer;
  /**
   * One page that starts with how far the kernel has written, u64; then the data twice in a row,
   * so that a record that wraps is still one piece. Read-only.
   */
  readonly producer: ArrayBuffer;
  readonly pageSize: number;
  /** Bytes of data, a power of two. */
  readonly size: number;
  release(): void;
}

/**
 * Reads a ring buffer where it lies, without a call into the kernel or through the FFI, and
 * without allocating per record. The ordering is that of libbpf: producer position and header are
 * acquired before what they announce is read, the consumer position is released after.
 */
export class MappedRing implements RingReader {
  readonly #memory: RingMemory;
  readonly #consumed: BigUint64Array;
  readonly #words: Int32Array;
  readonly #view: DataView;
  readonly #mask: number;
  /** Freeing in batches: one fenced store for many records, yet the kernel never waits for long. */
  readonly #batch: number;
  /** Bytes read since the ring was made. A double is exact for 2^53: 104 days at 1 GB/s. */
  #position: number;
  #draining = false;
  #closed = false;

  constructor(memory: RingMemory) {
    this.#memory = memory;
    this.#consumed = new BigUint64Array(memory.consumer, 0, 1);
    this.#words = new Int32Array(memory.producer);
    this.#view = new DataView(memory.producer);
    this.#mask = memory.size - 1;
    this.#batch = memory.size >>> 3;
    this.#position = Number(Atomics.load(this.#consumed, 0));
  }

  drain(onRecord: (view: DataView, offset: number, length: number) => void): number {
    if (this.#closed || this.#draining) {
      throw new MemWatcherError(
        'BPF_MAP_FAILED',
        this.#closed ? 'the ring buffer is closed' : 'the ring buffer is being drained already',
      );
    }
    const words = this.#words;
    const view = this.#view;
    const mask = this.#mask;
    const base = this.#memory.pageSize;
    let position = this.#position;
    let freed = position;
    let records = 0;
    // Only what is there now: producers that never pause must not keep us here for ever.
    let left = this.#waiting();
    this.#draining = true;
    try {
      while (left > 0) {
        const at = base + (position & mask);
        const header = Atomics.load(words, at >>> 2);
        if ((header & BUSY) !== 0) break;
        const length = header & LENGTH;
        const step = (length + HEADER + 7) & ~7;
        position += step;
        left -= step;
        if ((header & DISCARDED) === 0) {
          records++;
          onRecord(view, at + HEADER, length);
        }
        if (position - freed >= this.#batch) {
          freed = position;
          Atomics.store(this.#consumed, 0, BigInt(position));
        }
      }
    } finally {
      this.#draining = false;
      this.#position = position;
      if (position !== freed && !this.#closed) Atomics.store(this.#consumed, 0, BigInt(position));
    }
    return records;
  }

  get fullness(): { used: number; size: number } {
    return { used: this.#closed ? 0 : this.#waiting(), size: this.#memory.size };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#memory.release();
  }

  /** Positions only grow, so the low halves differ by what waits, whatever their high halves. */
  #waiting(): number {
    return (Atomics.load(this.#words, 0) - (this.#position >>> 0)) >>> 0;
  }
}
