/** What /proc says of a process: the truth that procstat is held against. Bytes. */
import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import type { Activity, Memory } from './process.js';

const kB = (text: string, key: string): number =>
  Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;

/** MAP_SHARED | MAP_ANONYMOUS, memfd, System V: of these smaps gives no path that can be asked. */
const SHMEM = /^(\/dev\/zero|\/memfd:|\/SYSV)/;
const TMPFS_MAGIC = 0x0102_1994;

/** Pages of tmpfs count as shared memory; in a guest of the matrix that is every file. */
function isShmem(path: string): boolean {
  if (SHMEM.test(path)) return true;
  return existsSync(path) && statfsSync(path).type === TMPFS_MAGIC;
}

/** By walking the page tables, which no counter is asked for. */
export function resident(pid: number, task = pid) {
  const smaps = readFileSync(`/proc/${pid}/task/${task}/smaps`, 'utf8');
  const sums = { usage: 0, anon: 0, file: 0, shmem: 0, swap: 0 };
  for (const mapping of smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
    const path = mapping.split('\n', 1)[0]?.split(/\s+/).slice(5).join(' ') ?? '';
    const rss = kB(mapping, 'Rss');
    const anon = kB(mapping, 'Anonymous');
    sums.usage += rss;
    sums.anon += anon;
    sums[isShmem(path) ? 'shmem' : 'file'] += rss - anon;
    sums.swap += kB(mapping, 'Swap');
  }
  return sums;
}

export function status(pid: number): Omit<Memory, 'usage' | 'anon' | 'file' | 'shmem'> {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    peak: kB(text, 'VmHWM'),
    virtual: kB(text, 'VmSize'),
    virtualPeak: kB(text, 'VmPeak'),
    swap: kB(text, 'VmSwap'),
    data: kB(text, 'VmData'),
    stack: kB(text, 'VmStk'),
    pageTables: kB(text, 'VmPTE'),
    locked: kB(text, 'VmLck'),
    hugetlb: kB(text, 'HugetlbPages'),
  };
}

/** Switches of the threads that are alive; faults of all that ever were. */
export function activity(pid: number): Activity {
  const sums = { voluntarySwitches: 0, involuntarySwitches: 0 };
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const text = readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8');
    const count = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
    sums.voluntarySwitches += count('voluntary_ctxt_switches');
    sums.involuntarySwitches += count('nonvoluntary_ctxt_switches');
  }
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { ...sums, minorFaults: Number(fields[7]), majorFaults: Number(fields[9]) };
}

/**
 * Every process that has memory of its own and may be looked into: what a security policy keeps
 * even from root, it may keep from BPF as well.
 */
/** A process of which a security policy shows nobody the memory; whether it has any is unknown. */
export function isHidden(pid: number): boolean {
  try {
    readFileSync(`/proc/${pid}/smaps_rollup`);
    return false;
  } catch (error) {
    return ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
}

export function processesWithMemory(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').includes('Rss:');
      } catch {
        return false;
      }
    })
    .map(Number);
}
