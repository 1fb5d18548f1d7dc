/** Removes an element of a hash only while it is the one that is meant: programs may reuse its key. */
import { MemWatcherError } from '../errors.js';
import type { LibbpfApi } from './libbpf-api.js';
import type { BatchTarget } from './libbpf-batch.js';
import { ENOENT, errnoText } from './refusal.js';

/** BPF_NOEXIST. */
const ONLY_IF_ABSENT = 1;

/**
 * The removed value; undefined if nothing was removed. BPF_MAP_LOOKUP_AND_DELETE_ELEM returns what it
 * removes (hashes: since 5.14). If that is not what was meant, it is put back, unless a program has
 * used the key in between. Where the kernel refuses that call, the look-up comes directly before the
 * removal.
 */
export function takeIf(
  api: LibbpfApi,
  map: BatchTarget,
  key: Uint8Array,
  isMeant: (value: Uint8Array) => boolean,
): Uint8Array | undefined {
  const seen = new Uint8Array(map.valueSize);
  if (!found(map, api.lookup(map.fd, key, seen)) || !isMeant(seen)) return undefined;
  const taken = new Uint8Array(map.valueSize);
  const error = api.lookupAndDelete(map.fd, key, taken);
  if (error === -ENOENT) return undefined;
  if (error < 0) return found(map, api.deleteKey(map.fd, key)) ? seen : undefined;
  if (isMeant(taken)) return taken;
  return api.update(map.fd, key, taken, ONLY_IF_ABSENT) < 0 ? taken : undefined;
}

function found({ name }: BatchTarget, error: number): boolean {
  if (error >= 0) return true;
  if (error === -ENOENT) return false;
  const message = `cannot remove an element of the map ${name}: ${errnoText(error)}`;
  throw new MemWatcherError('BPF_MAP_FAILED', message);
}
