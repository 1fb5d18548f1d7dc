import type { PointWriter } from '../../core/telemetry/points.js';
import type { ProcstatMetadata } from './metadata.js';
import type { ProcstatSeries, ProcstatSnapshot } from './snapshot.js';

/** A snapshot → metric points. */
export function report(snapshot: ProcstatSnapshot, out: PointWriter<ProcstatMetadata>): void {
  for (const series of snapshot.series) {
    reportMemory(series, out);
    reportActivity(series, out);
    out.point('memwatcher.process.count', series.members, series.attributes);
  }
}

function reportMemory(
  { memory, attributes }: ProcstatSeries,
  out: PointWriter<ProcstatMetadata>,
): void {
  out.point('process.memory.usage', memory.usage, attributes);
  out.point('process.memory.virtual', memory.virtual, attributes);
  out.point('memwatcher.process.memory.peak', memory.peak, attributes);
  out.point('memwatcher.process.memory.virtual_peak', memory.virtualPeak, attributes);
  for (const type of ['anon', 'file', 'shmem'] as const) {
    out.point('memwatcher.process.memory.rss', memory[type], {
      ...attributes,
      'memwatcher.process.memory.rss.type': type,
    });
  }
  out.point('memwatcher.process.memory.swap', memory.swap, attributes);
  out.point('memwatcher.process.memory.data', memory.data, attributes);
  out.point('memwatcher.process.memory.stack', memory.stack, attributes);
  out.point('memwatcher.process.memory.page_table', memory.pageTables, attributes);
  out.point('memwatcher.process.memory.locked', memory.locked, attributes);
  out.point('memwatcher.process.memory.hugetlb', memory.hugetlb, attributes);
}

function reportActivity(
  { activity, attributes, startTime }: ProcstatSeries,
  out: PointWriter<ProcstatMetadata>,
): void {
  const switches = {
    voluntary: activity.voluntarySwitches,
    involuntary: activity.involuntarySwitches,
  };
  for (const type of ['voluntary', 'involuntary'] as const) {
    const whose = { ...attributes, 'process.context_switch.type': type };
    out.point('process.context_switches', switches[type], whose, startTime);
  }
  const faults = { minor: activity.minorFaults, major: activity.majorFaults };
  for (const type of ['minor', 'major'] as const) {
    const whose = { ...attributes, 'system.paging.fault.type': type };
    out.point('process.paging.faults', faults[type], whose, startTime);
  }
}
