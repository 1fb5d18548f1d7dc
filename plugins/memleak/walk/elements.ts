/** Elements of a map in batches, read as words of 32 bits. */
import type { BpfMap, MapBatch } from '../../../core/bpf/host.js';
import type { StructLayout } from '../../../core/bpf/layout.js';
import { MemWatcherError } from '../../../core/errors.js';

export const words = (bytes: Uint8Array): Uint32Array =>
  new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);

export const wordsOf = ({ keys, values }: MapBatch) => ({
  keys: words(keys),
  values: words(values),
});

/** A number of 64 bits. */
export const wide = (values: Uint32Array, at: number): number =>
  (values[at + 1] ?? 0) * 2 ** 32 + (values[at] ?? 0);

/** The elements of those numbers, one after another; `size`: bytes of each, a multiple of 4. */
export function pick(bytes: Uint8Array, which: readonly number[], size: number): Uint8Array {
  const width = size >>> 2;
  const from = words(bytes);
  const to = new Uint32Array(which.length * width);
  for (let n = 0; n < which.length; n++) {
    const at = (which[n] ?? 0) * width;
    for (let w = 0; w < width; w++) to[n * width + w] = from[at + w] ?? 0;
  }
  return new Uint8Array(to.buffer);
}

/** A copy of one element's key. */
export const keyAt = ({ spec: { keySize } }: BpfMap, { keys }: MapBatch, n: number): Uint8Array =>
  new Uint8Array(keys.subarray(n * keySize, (n + 1) * keySize));

/** Tells of each whether it was there. */
export const deleteAt = (map: BpfMap, { keys }: MapBatch, which: readonly number[]): Uint8Array =>
  which.length > 0 ? map.deleteMany(pick(keys, which, map.spec.keySize)) : new Uint8Array(0);

export function offsetOf({ name, fields }: StructLayout, member: string): number {
  const field = fields.find((each) => each.name === member);
  if (field) return field.offset;
  throw new MemWatcherError('LAYOUT_INVALID', `${name} has no ${member}`);
}
