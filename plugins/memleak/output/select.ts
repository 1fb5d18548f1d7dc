/** Which stacks of a snapshot are shown. */
import type { LeakSnapshot } from '../model.js';
import { bySize, oldestAge } from './frames.js';

export interface Selection {
  /** Seconds: only stacks whose oldest outstanding allocation is at least so old. */
  readonly olderThan?: number | undefined;
  /** Only so many, the largest. */
  readonly top?: number | undefined;
}

/** A stack whose ages nobody knows is kept: it may be old. Figures stay those of whole stacks. */
export function select(snapshot: LeakSnapshot, { olderThan, top }: Selection): LeakSnapshot {
  const old = snapshot.stacks.filter(
    (stack) => olderThan === undefined || (oldestAge(stack) ?? olderThan) >= olderThan,
  );
  const stacks = old.toSorted(bySize).slice(0, top);
  return { ...snapshot, stacks, omitted: snapshot.omitted + old.length - stacks.length };
}
