/**
 * What the agent and the scanner's child say to each other. For each scan the child is handed the
 * target's mem, maps and pagemap, in this order, over a socket; then comes an order on its stdin, and on its
 * stdout an outcome. Both have their length in front, 4 bytes. Before the first it says `READY`.
 */

export interface Order {
  readonly blocks: number;
  /** Addresses that the kernel alone holds: registers, epoll data, timers. */
  readonly roots: readonly number[];
  /** Bytes of swapped pages that are read at most; if there are more none is. */
  readonly mostSwapped: number;
  /** Short looks after the first. */
  readonly passes: number;
}

/** Memory that might have held pointers and was not read. */
export interface Unread {
  /** As /proc/PID/maps names it; empty for anonymous memory. */
  readonly path: string;
  readonly bytes: number;
}

export interface Outcome {
  /** Bytes. */
  readonly read: number;
  readonly unread: readonly Unread[];
  /** Bytes that were in swap, read or not. */
  readonly swapped: number;
  /** Of processor time, ms. */
  readonly cpuMs: number;
  /** Bytes that the child had in memory at most. */
  readonly peakMemory: number;
}

/** An order, then addresses and sizes of blocks. */
export function encodeOrder(
  order: Omit<Order, 'blocks'>,
  starts: Float64Array,
  sizes: Float64Array,
): Buffer {
  const text = Buffer.from(JSON.stringify({ ...order, blocks: starts.length }));
  // Padded, so that what follows is aligned.
  const head = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ');
  head.writeUInt32LE(head.length - 8, 0);
  text.copy(head, 8);
  return framed([head, bytesOf(starts), bytesOf(sizes)]);
}

export function decodeOrder(bytes: Buffer) {
  const order = JSON.parse(bytes.toString('utf8', 8, 8 + bytes.readUInt32LE(0))) as Order;
  const at = 8 + bytes.readUInt32LE(0);
  const floats = (n: number) => {
    const from = at + n * 8 * order.blocks;
    return new Float64Array(Uint8Array.from(bytes.subarray(from, from + 8 * order.blocks)).buffer);
  };
  return { order, starts: floats(0), sizes: floats(1) };
}

/** An outcome, then a byte for each block: 1 if it is reached. */
export function encodeOutcome(outcome: Outcome, reached: Uint8Array): Buffer {
  const text = Buffer.from(JSON.stringify(outcome));
  const head = Buffer.alloc(4);
  head.writeUInt32LE(text.length);
  return framed([head, text, reached]);
}

/** Throws on what is no outcome for as many blocks. */
export function decodeOutcome(bytes: Buffer, blocks: number) {
  const length = bytes.readUInt32LE(0);
  const outcome = JSON.parse(bytes.toString('utf8', 4, 4 + length)) as Outcome;
  const reached = bytes.subarray(4 + length);
  if (reached.length !== blocks)
    throw new Error(`it spoke of ${reached.length} of ${blocks} blocks`);
  return { outcome, reached };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float64Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** It has given up all rights. */
export const READY = framed([]);

function framed(parts: readonly Uint8Array[]): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(parts.reduce((sum, part) => sum + part.length, 0));
  return Buffer.concat([length, ...parts]);
}
