import { Columns } from './columns.js';
import type { BpfObject } from './host.js';

/** What an object lost or could not read since it was loaded: `struct mw_stats` of common.bpf.h. */
export interface ObjectStats {
  /** Records that found the ring buffer full. */
  readonly ringDrops: number;
  /** Entries that found a map full. */
  readonly mapFull: number;
  /** Reads of kernel memory that failed. */
  readonly readFailures: number;
}

/** Sums the map `stats` of a loaded object over all CPUs; undefined if it has none. */
export function readStats(object: BpfObject): ObjectStats | undefined {
  if (!object.maps.some((map) => map.name === 'stats')) return undefined;
  const perCpu = object.map('stats').lookup(new Uint8Array(4));
  if (!perCpu) return undefined;
  const cpus = new Columns(object.layout('mw_stats')).bind(perCpu);
  const sum = (member: string): number => {
    const column = cpus.column(member);
    let total = 0;
    for (let cpu = 0; cpu < cpus.rows; cpu++) total += column.at(cpu);
    return total;
  };
  return {
    ringDrops: sum('ring_drops'),
    mapFull: sum('map_full'),
    readFailures: sum('read_failures'),
  };
}

/** Runs of these programs that the kernel left out since load, since one was under way on that CPU. */
export function missedRuns(object: BpfObject, programs: Iterable<string>): number {
  let missed = 0;
  for (const name of programs) missed += object.programInfo(name).recursionMisses ?? 0;
  return missed;
}
