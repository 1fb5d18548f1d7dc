import { readFileSync } from 'node:fs';

const SWITCH = '/sys/kernel/mm/lru_gen/enabled';

/** Whether pages are kept by generations here (multi-gen LRU, since 6.1), and not on active lists. */
export function hasMultiGenLru(read: () => string = () => readFileSync(SWITCH, 'latin1')): boolean {
  try {
    // The lowest bit is the main switch, the others are of its details.
    return (Number.parseInt(read(), 16) & 1) !== 0;
  } catch {
    return false; // built without it
  }
}
