import { reportZones } from '../../core/memory/zones.js';
import type { PointWriter } from '../../core/telemetry/points.js';
import type { PafMetadata } from './metadata.js';
import type { PafRecords } from './records.js';

export function report(records: PafRecords, out: PointWriter<PafMetadata>): void {
  for (const { order, migrateType, reason, count } of records.failures) {
    out.point('memwatcher.page_allocation.failures', count, {
      'memwatcher.page_allocation.order': order,
      'memwatcher.page_allocation.migrate_type': migrateType,
      'memwatcher.page_allocation.reason': reason,
    });
  }
  const { folded, overflowed, postponed, unseen } = records.totals;
  out.point('memwatcher.page_allocation.failures.folded', folded, {});
  out.point('memwatcher.page_allocation.failures.overflowed', overflowed, {});
  out.point('memwatcher.page_allocation.events.postponed', postponed, {});
  out.point('memwatcher.page_allocation.unseen', unseen, {});
  reportZones(records.zones ?? [], out);
}
