/** Stacks as paths from the outside in, as flame graphs want them. */
import type { Frame } from '../../../core/symbolize/frame.js';
import type { LeakSnapshot, LeakStack, Target } from '../model.js';
import { isOf } from '../report.js';
import { bySize, framesOf } from './frames.js';

export interface StackPath {
  readonly stack: LeakStack;
  /** Who allocates: `shop`, of several processes `shop-2429`, `kernel`. */
  readonly root: string;
  /** Outermost first; of one address the function before what was inlined into it. */
  readonly frames: readonly Frame[];
  /** Whole bytes: of estimates the nearest. */
  readonly bytes: number;
  readonly allocations: number;
}

/** Largest first. A stack of which less than half a byte is left has no path. */
export function pathsOf({
  stacks,
  targets,
}: Pick<LeakSnapshot, 'stacks' | 'targets'>): StackPath[] {
  const processes = targets.filter(({ source }) => source.kind === 'process');
  return stacks
    .toSorted(bySize)
    .map((stack) => ({
      stack,
      root: rootOf(stack, targets, processes.length > 1),
      frames: framesOf(stack).toReversed(),
      bytes: Math.round(stack.reading.bytes),
      allocations: Math.round(stack.reading.allocations),
    }))
    .filter(({ bytes, allocations }) => bytes > 0 || allocations > 0);
}

function rootOf(stack: LeakStack, targets: readonly Target[], several: boolean): string {
  const { source } = stack.reading;
  if (source.kind === 'kernel') return 'kernel';
  const target = targets.find((candidate) => isOf(candidate.source, source));
  const comm = target?.comm ?? 'process';
  return several ? `${comm}-${source.pid}` : comm;
}
