import type { Emitter } from '../../core/telemetry/events.js';
import type { MemleakMetadata } from './metadata.js';
import { type Judgement, knownReach, type LeakStack, type Target } from './model.js';
import { namedFrame } from './named-frame.js';
import { stackTrace } from './output/original.js';
import { formatSize } from './output/units.js';

/** Sends the event of a change of state, with its evidence. */
export function tellChange(
  emitter: Emitter<MemleakMetadata>,
  stack: LeakStack,
  before: Judgement,
  target: Pick<Target, 'attributes'> | undefined,
): void {
  const { reading, judgement, ageQuantiles } = stack;
  emitter.event(
    'memwatcher.memory_leak',
    bodyOf(stack),
    {
      ...target?.attributes,
      'memwatcher.allocation.source': reading.source.kind,
      'memwatcher.allocation.stack.id': stack.id,
      'memwatcher.allocation.function': namedFrame(stack.frames)?.function,
      'memwatcher.allocation.origin': reading.origin,
      'memwatcher.memory_leak.state': judgement.state,
      'memwatcher.memory_leak.previous_state': before.state,
      'memwatcher.memory_leak.class': judgement.class,
      'memwatcher.memory_leak.kind': judgement.kind,
      'memwatcher.memory_leak.lost.size': whole(knownReach(reading)?.lostBytes),
      'memwatcher.memory_leak.lost.allocations': whole(knownReach(reading)?.lost),
      'memwatcher.memory_leak.confidence': judgement.confidence,
      'memwatcher.memory_leak.coverage': judgement.coverage,
      'memwatcher.memory_leak.reason': judgement.reason,
      'memwatcher.memory_leak.size': Math.round(reading.bytes),
      'memwatcher.memory_leak.size.error':
        reading.bytesError > 0 ? Math.round(reading.bytesError) : undefined,
      'memwatcher.memory_leak.allocations': Math.round(reading.allocations),
      'memwatcher.memory_leak.growth': judgement.growth,
      'memwatcher.memory_leak.first_seen': new Date(stack.firstSeen).toISOString(),
      'memwatcher.memory_leak.age.p50': ageQuantiles?.p50,
      'memwatcher.memory_leak.age.p90': ageQuantiles?.p90,
      'memwatcher.memory_leak.age.oldest': ageQuantiles?.oldest,
      'code.stacktrace': stackTrace(stack),
    },
    {
      time: judgement.since,
      severity: judgement.state === 'confirmed' ? 'WARN' : 'INFO',
    },
  );
}

const whole = (value: number | undefined): number | undefined =>
  value === undefined ? undefined : Math.round(value);

function bodyOf({ frames, reading, judgement, id }: LeakStack): string {
  const where = namedFrame(frames)?.function ?? `stack ${id}`;
  const what = `${formatSize(reading.bytes)} in ${Math.round(reading.allocations)} allocations`;
  return `${where}: ${judgement.state}, ${what}: ${judgement.reason}`;
}
