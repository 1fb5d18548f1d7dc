import type { PointWriter } from '../../core/telemetry/points.js';
import type { MemleakMetadata } from './metadata.js';
import {
  CLASSES,
  type LeakSnapshot,
  type LeakStack,
  type Source,
  STATES,
  TARGET_STATES,
  type Target,
  targetState,
} from './model.js';
import { namedFrame } from './named-frame.js';

type Out = PointWriter<MemleakMetadata>;

/** A snapshot → metric points. */
export function report(snapshot: LeakSnapshot, out: Out): void {
  const targets = snapshot.targets.filter(({ ended }) => !ended);
  for (const target of targets) reportTarget(target, snapshot, out);
  reportStates(snapshot, out);
  const processes = targets.filter(({ source }) => source.kind === 'process');
  for (const state of TARGET_STATES) {
    const count = processes.filter((target) => targetState(target) === state).length;
    out.point('memwatcher.allocation.target.count', count, {
      'memwatcher.allocation.target.state': state,
    });
  }
  if (snapshot.scans) {
    const { scans, refused, cpuSeconds, read } = snapshot.scans;
    out.point('memwatcher.memory_scan.scans', scans, {});
    out.point('memwatcher.memory_scan.refused', refused, {});
    out.point('memwatcher.memory_scan.cpu.time', cpuSeconds, {});
    out.point('memwatcher.memory_scan.read', read, {});
  }
  const { unresolved, restarts } = snapshot.symbolizer;
  out.point('memwatcher.symbolizer.unresolved', unresolved, {});
  out.point('memwatcher.symbolizer.restarts', restarts, {});
}

function reportTarget(target: Target, snapshot: LeakSnapshot, out: Out): void {
  const own = snapshot.stacks.filter(({ reading }) => isOf(reading.source, target.source));
  const base = { 'memwatcher.allocation.source': target.source.kind, ...target.attributes };
  for (const stack of own) reportStack(stack, base, out);
  const rest = {
    bytes: target.bytes - sum(own, ({ reading }) => reading.bytes),
    allocations: target.allocations - sum(own, ({ reading }) => reading.allocations),
  };
  const other = { ...base, 'memwatcher.allocation.other': true };
  out.point('memwatcher.allocation.outstanding.size', whole(rest.bytes), other);
  out.point('memwatcher.allocation.outstanding.count', whole(rest.allocations), other);
  const { recorded, missedAllocations, missedFrees, samplingInterval } = target.coverage;
  const { countsSince } = target;
  out.point('memwatcher.allocation.recorded', whole(recorded), base, countsSince);
  out.point('memwatcher.allocation.sampling_interval', Math.round(samplingInterval), base);
  const missed = (reason: 'not_recorded' | 'free_missed', count: number) =>
    out.point(
      'memwatcher.allocation.missed',
      whole(count),
      { ...base, 'memwatcher.allocation.missed.reason': reason },
      countsSince,
    );
  missed('not_recorded', missedAllocations);
  missed('free_missed', missedFrees);
}

type Base = Readonly<{ 'memwatcher.allocation.source': Source['kind'] }> & Target['attributes'];

function reportStack(stack: LeakStack, base: Base, out: Out): void {
  const { reading, judgement } = stack;
  const where = {
    ...base,
    'memwatcher.allocation.stack.id': stack.id,
    'memwatcher.allocation.function': namedFrame(stack.frames)?.function,
    'memwatcher.allocation.origin': reading.origin,
  };
  out.point('memwatcher.allocation.outstanding.size', whole(reading.bytes), where);
  out.point('memwatcher.allocation.outstanding.count', whole(reading.allocations), where);
  out.point('memwatcher.allocation.outstanding.oldest', stack.ageQuantiles?.oldest, where);
  for (const state of STATES) {
    out.point('memwatcher.memory_leak.status', judgement.state === state ? 1 : 0, {
      ...where,
      'memwatcher.memory_leak.state': state,
    });
  }
  for (const of of CLASSES) {
    out.point('memwatcher.memory_leak.classification', judgement.class === of ? 1 : 0, {
      ...where,
      'memwatcher.memory_leak.class': of,
    });
  }
}

function reportStates({ states }: LeakSnapshot, out: Out): void {
  for (const { state, class: leakClass, count, ended } of states) {
    if (ended) continue;
    out.point('memwatcher.memory_leak.stack.count', count, {
      'memwatcher.memory_leak.state': state,
      'memwatcher.memory_leak.class': leakClass,
    });
  }
}

/** Whether both are the same allocator. */
export const isOf = (one: Source, other: Source): boolean =>
  one.kind === 'process' && other.kind === 'process'
    ? one.pid === other.pid && one.startTime === other.startTime
    : one.kind === other.kind;

const sum = (stacks: readonly LeakStack[], figure: (stack: LeakStack) => number): number =>
  stacks.reduce((total, stack) => total + figure(stack), 0);

/** Estimates are fractions; of what is left of a difference of two reads, nothing is below 0. */
const whole = (value: number): number => Math.max(0, Math.round(value));
