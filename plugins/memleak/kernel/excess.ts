import type { KernelReading } from './readings.js';
import type { SlabCache } from './slabinfo.js';

/**
 * Objects that are outstanding by our account beyond all that their caches have in use by the kernel's
 * books: so many frees at least were seen by nobody. An origin may be several caches of one size.
 */
export function excessOf(
  readings: readonly Pick<KernelReading, 'reading' | 'kind'>[],
  caches: readonly SlabCache[],
): number {
  const active = new Map(caches.map(({ name, activeObjects }) => [name, activeObjects]));
  const held = new Map<string, number>();
  for (const { reading, kind } of readings) {
    if (kind !== 'cache' && kind !== 'kmalloc') continue;
    const origin = reading.origin ?? '';
    held.set(origin, (held.get(origin) ?? 0) + reading.allocations);
  }
  let excess = 0;
  for (const [origin, count] of held) {
    const all = origin.split('|').map((name) => active.get(name));
    if (all.includes(undefined)) continue;
    const most = all.reduce<number>((sum, objects) => sum + (objects ?? 0), 0);
    excess += Math.max(0, count - most);
  }
  return excess;
}
