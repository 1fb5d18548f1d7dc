/** What the BPF object holds, as its types say (events.gen.ts): records to what they mean. Pure. */
import type { LiveColumns } from '../../../core/bpf/live-columns.js';
import type { RecordDecoder } from '../../../core/bpf/record.js';
import type { MlHappening } from '../events.gen.js';
import type { Ages } from '../model.js';
import type { Happening } from './user-watch.js';

/** A count of one (ML_ONE of memleak.h). */
export const ONE = 65_536;
/** ML_SLOT_BITS: as many slots as the lower bits of `where` can tell. */
export const SLOTS = 2 ** 24;
/** Words of 32 bits of struct ml_key and struct ml_live, an element of `live`. */
export const KEY = { words: 4, target: 2 } as const;
export const LIVE = { words: 6, size: 0, weight: 2, where: 4 } as const;

const DEPTHS = ['end', 'limit', 'unreadable'] as const;
export const depthOf = (end: number): (typeof DEPTHS)[number] => DEPTHS[end] ?? 'unreadable';

/** undefined if the record is of a kind that nobody knows. */
export function happeningOf(
  decoder: RecordDecoder<MlHappening>,
  view: DataView,
  offset: number,
  length: number,
): Happening | undefined {
  const { kind, pid, child, time, ...at } = decoder.decode(view, offset, length);
  const process = { pid, startTime: at.start_time };
  switch (kind) {
    case 0:
      return { kind: 'exec', process, time };
    case 1:
      return { kind: 'exit', process, time };
    case 2:
      return {
        kind: 'fork',
        process,
        child: { pid: child, startTime: at.child_start_time },
        time,
      };
    default:
      return undefined;
  }
}

/** Of rows of `ml_ages`. */
export function agesReader(rows: LiveColumns, buckets: number): (row: number) => Ages | undefined {
  const oldest = rows.column('oldest');
  const each = (member: string) =>
    Array.from({ length: buckets }, (_, n) => rows.column(`${member}[${n}]`));
  const allocations = each('allocations');
  const bytes = each('bytes');
  return (row) => {
    const counts = allocations.map((column) => column.at(row) / ONE);
    if (counts.every((count) => count === 0)) return undefined;
    return {
      oldest: oldest.at(row) / 1e9,
      allocations: counts,
      bytes: bytes.map((column) => column.at(row)),
    };
  };
}
