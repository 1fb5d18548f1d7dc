/**
 * Many elements of a hash by one system call (BPF_MAP_*_BATCH, since 5.6), or element by element where
 * the kernel refuses that.
 */
import { MemWatcherError } from '../errors.js';
import type { MapBatch } from './host.js';
import type { LibbpfApi } from './libbpf-api.js';
import { ENOENT, errnoText } from './refusal.js';

const E2BIG = 7;
const ENOMEM = 12;
const ENOSPC = 28;

export interface BatchTarget {
  readonly fd: number;
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
}

/** The map is full. */
const isFull = (error: number) => [-E2BIG, -ENOSPC].includes(error);

export function* batchesOf(
  api: LibbpfApi,
  map: BatchTarget,
  size: number,
): IterableIterator<MapBatch> {
  // The kernel's place in a hash is a bucket's number.
  let [from, to] = [new Uint8Array(8), new Uint8Array(8)];
  let room = size;
  let buffers = buffersFor(map, room);
  for (let isFirst = true; ; ) {
    const count: [number] = [room];
    const { keys, values } = buffers;
    const error = api.lookupBatch(map.fd, isFirst ? null : from, to, keys, values, count, null);
    if (error === -ENOSPC && room < map.maxEntries) {
      // One bucket holds more than that.
      room *= 2;
      buffers = buffersFor(map, room);
      continue;
    }
    if (error < 0 && error !== -ENOENT) {
      if (!isFirst) throw failed('read', map, error);
      yield* onesOf(api, map, size);
      return;
    }
    if (count[0] > 0) yield { count: count[0], keys, values };
    if (error === -ENOENT) return;
    isFirst = false;
    [from, to] = [to, from];
  }
}

/** A look-up each: keys first, since the walk over keys starts anew where the last one was deleted. */
function* onesOf(api: LibbpfApi, map: BatchTarget, size: number): IterableIterator<MapBatch> {
  const all = keysOf(api, map);
  const buffers = buffersFor(map, size);
  const value = new Uint8Array(map.valueSize);
  let count = 0;
  for (const key of all) {
    const error = api.lookup(map.fd, key, value);
    if (error === -ENOENT) continue;
    if (error < 0) throw failed('read', map, error);
    buffers.keys.set(key, count * map.keySize);
    buffers.values.set(value, count * map.valueSize);
    if (++count < size) continue;
    yield { count, ...buffers };
    count = 0;
  }
  if (count > 0) yield { count, ...buffers };
}

function keysOf(api: LibbpfApi, map: BatchTarget): Iterable<Uint8Array> {
  const keys = new Map<string, Uint8Array>();
  let previous: Uint8Array | null = null;
  for (let n = 0; n < 2 * map.maxEntries; n++) {
    const key: Uint8Array = new Uint8Array(map.keySize);
    const error = api.nextKey(map.fd, previous, key);
    if (error === -ENOENT) break;
    if (error < 0) throw failed('read the keys of', map, error);
    keys.set(Buffer.from(key).toString('latin1'), key);
    previous = key;
  }
  return keys.values();
}

export function deleteMany(api: LibbpfApi, map: BatchTarget, keys: Uint8Array): Uint8Array {
  const gone = new Uint8Array(keys.length / map.keySize);
  let isBatched = true;
  for (let done = 0; done < gone.length; ) {
    const count: [number] = [isBatched ? gone.length - done : 0];
    const rest = keys.subarray(done * map.keySize);
    const error = isBatched
      ? api.deleteBatch(map.fd, rest, count, null)
      : api.deleteKey(map.fd, rest.subarray(0, map.keySize));
    if (isBatched && error < 0 && error !== -ENOENT) {
      isBatched = false;
      continue;
    }
    if (error < 0 && error !== -ENOENT) throw failed('delete keys of', map, error);
    const deleted = isBatched ? count[0] : error === 0 ? 1 : 0;
    gone.fill(1, done, done + deleted);
    // The next one was not there.
    done += deleted + (error < 0 ? 1 : 0);
  }
  return gone;
}

export function updateMany(
  api: LibbpfApi,
  map: BatchTarget,
  keys: Uint8Array,
  values: Uint8Array,
): number {
  const all = keys.length / map.keySize;
  const count: [number] = [all];
  const error = all > 0 ? api.updateBatch(map.fd, keys, values, count, null) : 0;
  if (error === 0) return all;
  // The kernel also says ENOMEM before it begins, and then leaves `count` as it was.
  if (isFull(error)) return count[0];
  for (let n = 0; n < all; n++) {
    const key = keys.subarray(n * map.keySize, (n + 1) * map.keySize);
    const value = values.subarray(n * map.valueSize, (n + 1) * map.valueSize);
    const refused = api.update(map.fd, key, value, 0);
    if (isFull(refused) || refused === -ENOMEM) return n;
    if (refused < 0) throw failed('update', map, refused);
  }
  return all;
}

const buffersFor = ({ keySize, valueSize }: BatchTarget, elements: number) => ({
  keys: new Uint8Array(keySize * elements),
  values: new Uint8Array(valueSize * elements),
});

function failed(doing: string, { name }: BatchTarget, error: number): MemWatcherError {
  const message = `cannot ${doing} the map ${name}: ${errnoText(error)}`;
  return new MemWatcherError('BPF_MAP_FAILED', message);
}
