import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
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

/**
 * Bytes of a page of this kernel, from the first mapping of /proc/self/smaps. The auxiliary vector
 * says it too, but not to a Node that has its capabilities by setcap: that file is root's then.
 */
export function pageSize(smaps = beginning('/proc/self/smaps')): number {
  const kilobytes = /^KernelPageSize:\s*(\d+) kB$/m.exec(smaps)?.[1];
  if (kilobytes === undefined) {
    throw new MemWatcherError('INTERNAL', '/proc/self/smaps does not say the page size');
  }
  return Number(kilobytes) * 1024;
}

/** The whole file would have the kernel walk every page of this process. */
function beginning(file: string): string {
  const fd = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(1024);
    return bytes.toString('latin1', 0, readSync(fd, bytes));
  } finally {
    closeSync(fd);
  }
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
