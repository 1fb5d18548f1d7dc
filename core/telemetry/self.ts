/** The agent's own telemetry: facts in, points out. Pure but for `readBpf` and `readProcess`. */
import type { LoadedBpf } from '../bpf/host.js';
import { type ObjectStats, readStats } from '../bpf/stats.js';
import { steadyNow } from '../identity/boot-moment.js';
import type { EventAttributes, Severity } from '../metadata.js';
import type { PluginState, PluginStatus } from '../plugin.js';
import { lacksText } from '../status.js';
import { DELTA_DROPS, type DeltaState } from './delta.js';
import type { EventRecord } from './events.js';
import type { ExporterOutcome, ExporterState } from './outcome.js';
import { type PointBatch, PointBatchBuilder, type PointWriter } from './points.js';
import { type SelfMetadata, selfMetadata } from './self.metadata.js';

/** What the agent tells of itself at a collection. */
export interface SelfSource {
  readonly plugins: readonly PluginSelf[];
  readonly exporters: readonly ExporterOutcome[];
  readonly process: ProcessSelf;
}

/** Counters are since the plugin started. */
export interface PluginSelf {
  readonly status: PluginStatus;
  /** Unix ms; undefined of a plugin that did not start. */
  readonly startTime?: number | undefined;
  /** Collections that gave a snapshot. */
  readonly collections: number;
  readonly missedCollections: number;
  /** ms; undefined before the first. */
  readonly lastDurationMs: number | undefined;
  /** Undefined while nothing is loaded. */
  readonly bpf: BpfSelf | undefined;
  /** Records that came but could not be decoded. */
  readonly decodeErrors?: number;
  /** Cgroups that were gone before they could be named. */
  readonly cgroupsGone?: number;
}

/** Figures of a plugin's BPF object. */
export interface BpfSelf {
  readonly programs: readonly ProgramSelf[];
  readonly maps: readonly MapSelf[];
  /** Undefined for an object that counts none. */
  readonly losses: ObjectStats | undefined;
}

export interface ProgramSelf {
  readonly name: string;
  /** undefined while the kernel's statistics are off. */
  readonly runs: number | undefined;
  readonly runTimeNs: number | undefined;
  readonly missedRuns: number | undefined;
}

export interface MapSelf {
  readonly name: string;
  /** Bytes of kernel memory. */
  readonly memory: number;
  /** 0 to 1, where it is known. */
  readonly fullness?: number;
}

export interface ProcessSelf {
  /** Bytes. */
  readonly rss: number;
  /** Seconds. */
  readonly cpuUser: number;
  readonly cpuSystem: number;
  /** When the process began, Unix ms. */
  readonly startTime: number;
}

/** `startTime`: when the agent started, Unix ms; the same over its reloads. */
export function selfBatch(source: SelfSource, time: number, startTime: number): PointBatch {
  const builder = new PointBatchBuilder(selfMetadata);
  report(source, builder);
  return builder.build(time, startTime, steadyNow());
}

export function report(source: SelfSource, out: PointWriter<SelfMetadata>): void {
  for (const plugin of source.plugins) reportPlugin(plugin, out);
  for (const outcome of source.exporters) reportExporter(outcome, out);
  const { rss, cpuUser, cpuSystem, startTime } = source.process;
  out.point('memwatcher.agent.memory.usage', rss, {});
  out.point('memwatcher.agent.cpu.time', cpuUser, { 'cpu.mode': 'user' }, startTime);
  out.point('memwatcher.agent.cpu.time', cpuSystem, { 'cpu.mode': 'system' }, startTime);
}

const SEVERITIES: Partial<Record<PluginState, Severity>> = { failed: 'ERROR', degraded: 'WARN' };

/** A change of a plugin's state, as an event. */
export function statusEvent(status: PluginStatus): EventRecord {
  const { plugin, state, strategy, reason, lacks, since } = status;
  const attributes: EventAttributes<SelfMetadata, 'memwatcher.agent.plugin.status_change'> = {
    'memwatcher.plugin': plugin,
    'memwatcher.plugin.state': state,
    'memwatcher.plugin.strategy': strategy,
    'memwatcher.plugin.reason': reason,
    'memwatcher.plugin.lacks': lacks.length > 0 ? lacks : undefined,
  };
  const words = [reason, lacksText(lacks)].filter((text) => text !== undefined).join('; ');
  return {
    plugin: selfMetadata.name,
    event: 'memwatcher.agent.plugin.status_change',
    time: since,
    severity: SEVERITIES[state] ?? 'INFO',
    attributes,
    body: words === '' ? `${plugin} is ${state}` : `${plugin} is ${state}: ${words}`,
  };
}

const PLUGIN_STATES: readonly PluginState[] = ['starting', 'ok', 'degraded', 'failed', 'stopped'];
const EXPORTER_STATES: readonly ExporterState[] = ['idle', 'ok', 'failing'];

const LOSSES = ['ring_full', 'map_full', 'read_failure', 'decode_error', 'cgroup_gone'] as const;

function reportPlugin(self: PluginSelf, out: PointWriter<SelfMetadata>): void {
  const { status, startTime, collections, missedCollections, lastDurationMs, bpf } = self;
  const plugin = { 'memwatcher.plugin': status.plugin };
  for (const state of PLUGIN_STATES) {
    out.point('memwatcher.agent.plugin.status', status.state === state ? 1 : 0, {
      ...plugin,
      'memwatcher.plugin.state': state,
    });
  }
  if (status.strategy !== undefined) {
    const attributes = { ...plugin, 'memwatcher.plugin.strategy': status.strategy };
    out.point('memwatcher.agent.plugin.strategy', 1, attributes);
  }
  const outcomes = { done: collections, missed: missedCollections } as const;
  for (const outcome of ['done', 'missed'] as const) {
    const attributes = { ...plugin, 'memwatcher.collection.outcome': outcome };
    out.point('memwatcher.agent.plugin.collections', outcomes[outcome], attributes, startTime);
  }
  const seconds = lastDurationMs === undefined ? undefined : lastDurationMs / 1000;
  out.point('memwatcher.agent.plugin.collection.duration', seconds, plugin);
  const losses = {
    ring_full: bpf?.losses?.ringDrops,
    map_full: bpf?.losses?.mapFull,
    read_failure: bpf?.losses?.readFailures,
    decode_error: self.decodeErrors,
    cgroup_gone: self.cgroupsGone,
  } as const;
  for (const reason of LOSSES) {
    const attributes = { ...plugin, 'memwatcher.loss.reason': reason };
    out.point('memwatcher.agent.plugin.losses', losses[reason], attributes, startTime);
  }
  if (bpf) reportBpf(bpf, self, out);
}

function reportBpf(
  { programs, maps }: BpfSelf,
  { status: { plugin: name }, startTime }: PluginSelf,
  out: PointWriter<SelfMetadata>,
) {
  for (const program of programs) {
    const attributes = { 'memwatcher.plugin': name, 'memwatcher.bpf.program': program.name };
    const seconds = program.runTimeNs === undefined ? undefined : program.runTimeNs / 1e9;
    out.point('memwatcher.agent.bpf.program.runs', program.runs, attributes, startTime);
    out.point('memwatcher.agent.bpf.program.run_time', seconds, attributes, startTime);
    const { missedRuns } = program;
    out.point('memwatcher.agent.bpf.program.missed_runs', missedRuns, attributes, startTime);
  }
  for (const map of maps) {
    const attributes = { 'memwatcher.plugin': name, 'memwatcher.bpf.map': map.name };
    out.point('memwatcher.agent.bpf.map.memory', map.memory, attributes);
    out.point('memwatcher.agent.bpf.map.fullness', map.fullness, attributes);
  }
}

function reportExporter(outcome: ExporterOutcome, out: PointWriter<SelfMetadata>): void {
  const { startTime } = outcome;
  const exporter = {
    'memwatcher.exporter': outcome.exporter,
    'memwatcher.signal': outcome.signal,
  };
  for (const fate of ['sent', 'failed', 'rejected', 'dropped'] as const) {
    const attributes = { ...exporter, 'memwatcher.export.outcome': fate };
    out.point('memwatcher.agent.export.items', outcome[fate], attributes, startTime);
  }
  out.point('memwatcher.agent.export.retries', outcome.retried, exporter, startTime);
  out.point('memwatcher.agent.export.queue.items', outcome.queuedItems, exporter);
  out.point('memwatcher.agent.export.queue.size', outcome.queuedBytes, exporter);
  for (const state of EXPORTER_STATES) {
    const attributes = { ...exporter, 'memwatcher.exporter.state': state };
    out.point('memwatcher.agent.export.status', outcome.state === state ? 1 : 0, attributes);
  }
  for (const state of outcome.delta ?? []) reportDelta(state, outcome, out);
}

function reportDelta(
  { plugin, series, dropped }: DeltaState,
  { exporter, startTime }: ExporterOutcome,
  out: PointWriter<SelfMetadata>,
): void {
  const attributes = { 'memwatcher.exporter': exporter, 'memwatcher.plugin': plugin };
  out.point('memwatcher.agent.export.delta.series', series, attributes);
  for (const reason of DELTA_DROPS) {
    out.point(
      'memwatcher.agent.export.delta.dropped',
      dropped[reason],
      { ...attributes, 'memwatcher.export.delta.drop_reason': reason },
      startTime,
    );
  }
}

/** The figures of several objects of one plugin, one row a name; undefined of none. */
export function joinBpf(objects: readonly BpfSelf[]): BpfSelf | undefined {
  const [first, ...others] = objects;
  if (first === undefined || others.length === 0) return first;
  const counted = objects.flatMap(({ losses }) => (losses === undefined ? [] : [losses]));
  const sum = (of: keyof ObjectStats) => counted.reduce((total, losses) => total + losses[of], 0);
  return {
    programs: objects.flatMap(({ programs }) => programs),
    maps: joinMaps(objects.flatMap(({ maps }) => maps)),
    losses:
      counted.length === 0
        ? undefined
        : {
            ringDrops: sum('ringDrops'),
            mapFull: sum('mapFull'),
            readFailures: sum('readFailures'),
          },
  };
}

/** Objects may have a map of the same name: its row is the memory of both and the fuller one's fullness. */
function joinMaps(maps: BpfSelf['maps']): BpfSelf['maps'] {
  const joined = new Map<string, BpfSelf['maps'][number]>();
  for (const map of maps) {
    const { memory, fullness } = joined.get(map.name) ?? { memory: 0 };
    const fullest = [fullness, map.fullness].filter((share) => share !== undefined);
    joined.set(map.name, {
      ...map,
      memory: memory + map.memory,
      ...(fullest.length > 0 && { fullness: Math.max(...fullest) }),
    });
  }
  return [...joined.values()];
}

let startedAt: number | undefined;

/** One figure for the life of this process: a start that moves is a reset. */
function processStart(): number {
  startedAt ??= steadyNow() - performance.now();
  return startedAt;
}

export function readProcess(): ProcessSelf {
  const { user, system } = process.cpuUsage();
  return {
    rss: process.memoryUsage.rss(),
    cpuUser: user / 1e6,
    cpuSystem: system / 1e6,
    startTime: processStart(),
  };
}

/**
 * Asks the kernel about a loaded object: a few FFI calls a program and map, once a collection.
 * `fullness` is by map, of those that only their plugin knows.
 */
export function readBpf(
  { object, programs: names }: LoadedBpf,
  fullness: ReadonlyMap<string, number> = new Map(),
): BpfSelf {
  const programs = names.map((name) => {
    const { runCount, runTimeNs, recursionMisses } = object.programInfo(name);
    const measured = runCount > 0;
    return {
      name,
      runs: measured ? runCount : undefined,
      runTimeNs: measured ? runTimeNs : undefined,
      missedRuns: recursionMisses,
    };
  });
  const maps = object.maps.map(({ name }) => {
    const map = object.map(name);
    const full = fullness.get(name) ?? map.fullness;
    return {
      name,
      memory: map.memory(),
      ...(full !== undefined && { fullness: full }),
    };
  });
  return { programs, maps, losses: readStats(object) };
}
