/**
 * What an allocator spends on what was asked of it: it rounds up, and some add a header. By its own
 * rule for the mean size of a stack, so an estimate where sizes differ.
 *
 * glibc: 8 bytes of header, 16-byte steps, 32 at least (malloc/malloc.c, request2size). musl: 4 bytes,
 * 16-byte steps (mallocng). jemalloc, tcmalloc, mimalloc: size classes, four a doubling from 8 bytes on.
 */
import { FAMILIES, type Family } from './targets/allocators.js';

const STEP = 16;

/** Bytes that so many allocations take of the heap; what is not known of allocators is as glibc's. */
export function heapBytes(
  { bytes, allocations }: { readonly bytes: number; readonly allocations: number },
  allocators: readonly string[],
): number {
  if (allocations <= 0) return bytes;
  const family = familyOf(allocators);
  return Math.max(bytes, allocations * spentOn(bytes / allocations, family));
}

/** Beside libc's own another allocator is there to be used. */
function familyOf(allocators: readonly string[]): Family {
  const known = FAMILIES.filter((family) => allocators.includes(family));
  return (
    known.find((family) => family !== 'glibc' && family !== 'musl' && family !== 'other') ??
    known[0] ??
    'glibc'
  );
}

function spentOn(size: number, family: Family): number {
  const rounded = (bytes: number, step: number) => Math.ceil(bytes / step) * step;
  switch (family) {
    case 'musl':
      return Math.max(STEP, rounded(size + 4, STEP));
    case 'jemalloc':
    case 'tcmalloc':
    case 'mimalloc':
      if (size <= 8) return 8;
      return rounded(size, size <= 128 ? STEP : 2 ** (Math.floor(Math.log2(size)) - 2));
    default:
      return Math.max(2 * STEP, rounded(size + 8, STEP));
  }
}
