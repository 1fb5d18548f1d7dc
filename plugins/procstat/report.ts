import type { PointWriter } from '../../core/telemetry/points.js';
import type { ProcstatMetadata } from './metadata.js';
import type { ProcstatSeries, ProcstatSnapshot, WhoseAttributes } from './snapshot.js';

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
  const { rss } = typesOf(attributes);
  out.point('memwatcher.process.memory.rss', memory.anon, rss.anon);
  out.point('memwatcher.process.memory.rss', memory.file, rss.file);
  out.point('memwatcher.process.memory.rss', memory.shmem, rss.shmem);
  out.point('memwatcher.process.memory.swap', memory.swap, attributes);
  out.point('memwatcher.process.memory.data', memory.data, attributes);
  out.point('memwatcher.process.memory.stack', memory.stack, attributes);
  out.point('memwatcher.process.memory.page_table', memory.pageTables, attributes);
  out.point('memwatcher.process.memory.locked', memory.locked, attributes);
  out.point('memwatcher.process.memory.hugetlb', memory.hugetlb, attributes);
}

function reportActivity(
  { activity, attributes, startTime, process }: ProcstatSeries,
  out: PointWriter<ProcstatMetadata>,
): void {
  const { switches, faults } = typesOf(attributes);
  const { voluntarySwitches, involuntarySwitches, minorFaults, majorFaults } = activity;
  // Sums over several processes are the plugin's, see `SeriesActivity`.
  const by = process ? 'kernel' : 'instance';
  out.point('process.context_switches', voluntarySwitches, switches.voluntary, startTime, by);
  out.point('process.context_switches', involuntarySwitches, switches.involuntary, startTime, by);
  out.point('process.paging.faults', minorFaults, faults.minor, startTime, by);
  out.point('process.paging.faults', majorFaults, faults.major, startTime, by);
}

/** A series' attributes are mostly those of the last collection, and so are these. */
const types = new WeakMap<WhoseAttributes, ReturnType<typeof makeTypes>>();

function typesOf(attributes: WhoseAttributes) {
  let known = types.get(attributes);
  if (!known) {
    known = makeTypes(attributes);
    types.set(attributes, known);
  }
  return known;
}

function makeTypes(attributes: WhoseAttributes) {
  const rss = <T extends string>(type: T) => ({
    ...attributes,
    'memwatcher.process.memory.rss.type': type,
  });
  const switches = <T extends string>(type: T) => ({
    ...attributes,
    'process.context_switch.type': type,
  });
  const faults = <T extends string>(type: T) => ({
    ...attributes,
    'system.paging.fault.type': type,
  });
  return {
    rss: { anon: rss('anon'), file: rss('file'), shmem: rss('shmem') },
    switches: { voluntary: switches('voluntary'), involuntary: switches('involuntary') },
    faults: { minor: faults('minor'), major: faults('major') },
  };
}
