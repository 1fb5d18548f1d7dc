import { readFileSync } from 'node:fs';

/** Free swap in pages, over all devices; undefined where /proc does not say. */
export function freeSwap(pageSize: number, meminfo = readMeminfo()): number | undefined {
  const [, kib] = /^SwapFree:\s+(\d+) kB$/m.exec(meminfo ?? '') ?? [];
  return kib === undefined ? undefined : Math.floor((Number(kib) * 1024) / pageSize);
}

function readMeminfo(): string | undefined {
  try {
    return readFileSync('/proc/meminfo', 'utf8');
  } catch {
    return undefined;
  }
}
