import { readFileSync } from 'node:fs';
import { MemWatcherError } from '../errors.js';

/**
 * When the host booted, Unix ms, to the second: `btime` of /proc/stat. It is what ps and other
 * agents add a process's start to, and stays the same between two runs of the agent.
 */
export function bootTime(stat = readFileSync('/proc/stat', 'utf8')): number {
  const seconds = /^btime (\d+)$/m.exec(stat)?.[1];
  if (seconds === undefined) {
    throw new MemWatcherError('INTERNAL', '/proc/stat has no btime line: is /proc mounted?');
  }
  return Number(seconds) * 1000;
}

const AT_NULL = 0;
const AT_PAGESZ = 6;

/** Bytes of a page of this kernel: AT_PAGESZ of the auxiliary vector. */
export function pageSize(auxv: Uint8Array = readFileSync('/proc/self/auxv')): number {
  const words = new DataView(auxv.buffer, auxv.byteOffset, auxv.byteLength);
  for (let at = 0; at + 16 <= auxv.byteLength; at += 16) {
    const type = Number(words.getBigUint64(at, true));
    if (type === AT_PAGESZ) return Number(words.getBigUint64(at + 8, true));
    if (type === AT_NULL) break;
  }
  throw new MemWatcherError('INTERNAL', '/proc/self/auxv does not say the page size');
}

/** CPU numbers of a list as sysfs writes it: `0-3,8`. */
export function parseCpuList(text: string): number[] {
  return text
    .trim()
    .split(',')
    .filter((range) => range !== '')
    .flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}

/** CPUs that may ever come online: per-CPU data exists for these, and for no others. */
export function possibleCpus(
  text = readFileSync('/sys/devices/system/cpu/possible', 'utf8'),
): number[] {
  return parseCpuList(text);
}
