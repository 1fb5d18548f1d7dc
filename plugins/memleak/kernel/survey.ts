/** What the kernel says of its own memory in /proc, as series for the detector. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { describeError, errnoCode } from '../../../core/errors.js';
import { type AllocationSite, parseAllocinfo } from './allocinfo.js';
import { KEYS } from './decision.js';
import { type KernelMemory, parseMeminfo } from './meminfo.js';
import { parseSlabinfo, type SlabCache } from './slabinfo.js';

export interface Survey {
  readonly caches: readonly SlabCache[];
  /** Empty where the kernel keeps no account by place. */
  readonly sites: readonly AllocationSite[];
  readonly memory: KernelMemory | undefined;
  /** Files that this kernel does not have. */
  readonly lacks: readonly string[];
  /** Files that are there and could not be read, each with the reason: `/proc/slabinfo: EACCES …`. */
  readonly unreadable: readonly string[];
}

/** Bytes of a file that are read at most: many times what one has. */
const LIMIT = 16 * 1024 * 1024;
const CHUNK = 1 << 18;

export function takeSurvey(proc = '/proc'): Survey {
  const lacks: string[] = [];
  const unreadable: string[] = [];
  const read = (name: string): string => {
    try {
      return readBounded(`${proc}/${name}`);
    } catch (error) {
      const file = `${proc}/${name}`;
      if (errnoCode(error) === 'ENOENT') lacks.push(file);
      else unreadable.push(`${file}: ${describeError(error)}`);
      return '';
    }
  };
  const caches = parseSlabinfo(read('slabinfo'));
  const memory = parseMeminfo(read('meminfo'));
  return {
    caches,
    sites: isProfiled(proc) ? parseAllocinfo(read('allocinfo')) : [],
    memory,
    lacks,
    unreadable,
  };
}

/** All that grows or does not, by key. */
export function* seriesOf({ caches, sites, memory }: Survey): Generator<readonly [string, number]> {
  for (const { name, bytes } of caches) yield [`${KEYS.slab}${name}`, bytes];
  for (const { place, bytes } of sites) yield [`${KEYS.site}${place}`, bytes];
  if (!memory) return;
  // Page tables and stacks follow from processes; they are pages of the kernel all the same.
  for (const [name, bytes] of Object.entries(memory)) yield [`${KEYS.memory}${name}`, bytes];
}

/** Most kernels have no such sysctl, and those that have it have it off as a rule. */
function isProfiled(proc: string): boolean {
  try {
    return readFileSync(`${proc}/sys/vm/mem_profiling`, 'latin1').trim().startsWith('1');
  } catch {
    return false; // a kernel without CONFIG_MEM_ALLOC_PROFILING
  }
}

function readBounded(path: string): string {
  const descriptor = openSync(path, 'r');
  try {
    const chunks: Buffer[] = [];
    for (let total = 0; total < LIMIT; ) {
      const chunk = Buffer.allocUnsafe(CHUNK);
      const length = readSync(descriptor, chunk);
      if (length === 0) break;
      chunks.push(chunk.subarray(0, length));
      total += length;
    }
    return Buffer.concat(chunks).toString('latin1');
  } finally {
    closeSync(descriptor);
  }
}
