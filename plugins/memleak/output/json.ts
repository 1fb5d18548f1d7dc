/**
 * One record a stack, with the same keys in every one: what nobody knows is null, never 0. The
 * addresses are hexadecimal text, for a JSON number cannot hold them.
 */
import { jsonLine } from '../../../core/cli/json.js';
import type { Frame } from '../../../core/symbolize/frame.js';
import {
  type Class,
  knownReach,
  type LeakKind,
  type LeakSnapshot,
  type LeakStack,
  type State,
} from '../model.js';
import { bySize, framesOf, oldestAge } from './frames.js';

export interface StackJson {
  readonly stack_id: string;
  readonly state: State;
  readonly class: Class | null;
  readonly kind: LeakKind | null;
  readonly confidence: number | null;
  readonly bytes: number;
  readonly allocations: number;
  readonly heap_bytes: number | null;
  readonly lost_bytes: number | null;
  readonly lost_allocations: number | null;
  readonly growth_bytes_per_hour: number | null;
  readonly oldest_age_seconds: number | null;
  readonly coverage: number;
  readonly frames: readonly FrameJson[];
}

export interface FrameJson {
  readonly address: string;
  readonly function: string | null;
  readonly offset: number | null;
  readonly file: string | null;
  readonly line: number | null;
  readonly inlined: boolean;
  readonly module: string | null;
  readonly build_id: string | null;
}

/** Every stack as a line, largest first. */
export const stacksNdjson = ({ stacks }: Pick<LeakSnapshot, 'stacks'>): string =>
  stacks
    .toSorted(bySize)
    .map((stack) => jsonLine(stackJson(stack)))
    .join('');

export function stackJson(stack: LeakStack): StackJson {
  const { id, reading, judgement } = stack;
  return {
    stack_id: id,
    state: judgement.state,
    class: judgement.class ?? null,
    kind: judgement.kind ?? null,
    confidence: rounded(judgement.confidence, 4),
    bytes: Math.round(reading.bytes),
    allocations: Math.round(reading.allocations),
    heap_bytes: rounded(stack.heapBytes, 0),
    lost_bytes: rounded(knownReach(reading)?.lostBytes, 0),
    lost_allocations: rounded(knownReach(reading)?.lost, 0),
    growth_bytes_per_hour: rounded(judgement.growth, 0),
    oldest_age_seconds: rounded(oldestAge(stack), 3),
    coverage: rounded(judgement.coverage, 4) ?? 0,
    frames: framesOf(stack).map(frameJson),
  };
}

const rounded = (value: number | undefined, digits: number): number | null =>
  value === undefined ? null : Number(value.toFixed(digits));

function frameJson(frame: Frame): FrameJson {
  return {
    address: `0x${frame.address.toString(16).padStart(16, '0')}`,
    function: frame.function ?? null,
    offset: frame.offset ?? null,
    file: frame.file ?? null,
    line: frame.line ?? null,
    inlined: frame.inlined,
    module: frame.module ?? null,
    build_id: frame.buildId ?? null,
  };
}
