/** What the programs counted, and what of the truth that leaves: pure but for the reading. */
import { Columns } from '../../../core/bpf/columns.js';
import type { BpfObject } from '../../../core/bpf/host.js';
import type { Coverage } from '../model.js';
import { WALK_PROGRAMS } from './readings.js';

/** `struct kernel_counts`, over all CPUs and since load. */
export const COUNTS = [
  'allocations',
  'recorded',
  'frees',
  'matched',
  'live_full',
  'stacks_full',
  'busy_allocations',
  'busy_frees',
  'nested',
  'unseen_frees',
  'split_frees',
  'unwalked',
  'rescued',
  'page_hits',
  'page_recorded',
  'percpu_hits',
  'percpu_recorded',
] as const;
export type KernelCounts = Readonly<Record<(typeof COUNTS)[number], number>>;

/** Runs that the kernel left out, since one of the same program was under way on that CPU. */
export interface MissedRuns {
  readonly allocations: number;
  readonly frees: number;
}

export function readCounts(object: BpfObject): KernelCounts {
  const perCpu = object.map('counts').lookup(new Uint8Array(4)) ?? new Uint8Array(0);
  const cpus = new Columns(object.layout('kernel_counts')).bind(perCpu);
  const sum = (name: (typeof COUNTS)[number]): number => {
    const column = cpus.column(name);
    let total = 0;
    for (let cpu = 0; cpu < cpus.rows; cpu++) total += column.at(cpu);
    return total;
  };
  return Object.fromEntries(COUNTS.map((name) => [name, sum(name)])) as KernelCounts;
}

/** Of kernels before 5.12, which do not count them, none: they leave no run of a raw tracepoint out. */
export function readMissedRuns(
  object: BpfObject,
  programs: readonly string[],
  { rescued }: Pick<KernelCounts, 'rescued'>,
): MissedRuns {
  const missed = { allocations: 0, frees: 0 };
  for (const program of programs) {
    // The second program of a free is of use only where the first was left out.
    if (WALK_PROGRAMS.includes(program) || program.endsWith('_again')) continue;
    const { recursionMisses = 0 } = object.programInfo(program);
    missed[isFree(program) ? 'frees' : 'allocations'] += recursionMisses;
  }
  return { ...missed, frees: Math.max(0, missed.frees - rescued) };
}

export const isFree = (program: string): boolean => /free/.test(program);

/**
 * Nobody knows what a run that was left out would have seen. Such runs count in the proportion in
 * which those that were not left out concerned what is followed. `excess`: objects that are
 * outstanding by our account beyond all that their caches have.
 */
export function coverageOf(counts: KernelCounts, missed: MissedRuns, excess: number): Coverage {
  const share = (part: number, whole: number) => (whole > 0 ? part / whole : 0);
  const ofAllocations = missed.allocations * share(counts.recorded, counts.allocations);
  const ofFrees = missed.frees * share(counts.matched, counts.frees);
  const { live_full, stacks_full, busy_allocations, nested, busy_frees, split_frees } = counts;
  return {
    samplingInterval: 0,
    missedAllocations:
      live_full + stacks_full + busy_allocations + nested + Math.ceil(ofAllocations),
    missedFrees: busy_frees + split_frees + Math.ceil(ofFrees) + excess,
    recorded: counts.recorded,
  };
}
