import { readFileSync } from 'node:fs';

/** Highest NUMA node that can ever exist, and one. A kernel without NUMA has node 0. */
export function nodeCount(possible = readPossible()): number {
  const last = possible?.trim().split(/[,-]/).at(-1);
  return last === undefined || last === '' ? 1 : Number(last) + 1;
}

function readPossible(): string | undefined {
  try {
    return readFileSync('/sys/devices/system/node/possible', 'utf8');
  } catch {
    return undefined;
  }
}
