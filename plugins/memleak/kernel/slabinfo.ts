/** /proc/slabinfo: every slab cache, what is in use of it, and how large its objects are. */

export interface SlabCache {
  readonly name: string;
  /** In use, or in a CPU's own slab, which counts as used whole. */
  readonly activeObjects: number;
  /** Bytes of an object with what the allocator adds. */
  readonly objectSize: number;
  /** activeObjects × objectSize. */
  readonly bytes: number;
}

/** Of one file; a kernel has some 200, one with many file systems 1000. */
const MAX_CACHES = 8192;
const LINE = /^(\S+) +(\d+) +\d+ +(\d+) /gm;

/** Caches of one name (a name is nobody's own) are one. Lines that are no caches are passed over. */
export function parseSlabinfo(text: string): SlabCache[] {
  const caches = new Map<string, SlabCache>();
  for (const [, name = '', active, size] of text.matchAll(LINE)) {
    if (name.startsWith('#') || caches.size >= MAX_CACHES) continue;
    const [objects, objectSize] = [Number(active), Number(size)];
    const same = caches.get(name);
    const bytes = objects * objectSize;
    caches.set(name, {
      name,
      activeObjects: objects + (same?.activeObjects ?? 0),
      objectSize,
      bytes: bytes + (same?.bytes ?? 0),
    });
  }
  return [...caches.values()];
}

/** Whether kmalloc allocates of it: its buckets by size, those of each kind of memory, and those of
 * users who have their own (6.11). */
export const isKmalloc = (name: string): boolean =>
  /^(?:dma(?:32)?-)?kmalloc-|^(?:msg_msg|memdup_user)-\d+k?$/.test(name);
