/** The plugin over a process that knows what it holds, and what is compared. */

import type { Allocator } from '../../test/fakes/allocator.js';
import { type LiveOptions, LivePlugin } from '../../test/fakes/live-plugin.js';
import { memleak } from './index.js';
import type { LeakSnapshot, Target } from './model.js';

export type LiveMemleak = LivePlugin<LeakSnapshot>;

export interface Sum {
  readonly bytes: number;
  readonly count: number;
  /** Standard error of bytes. */
  readonly error: number;
}

/** Watches the process whatever it costs. */
export const withoutBudget = (
  pid: number,
  more: Readonly<Record<string, unknown>> = {},
): LiveOptions => ({
  config: { targets: [{ pid }], budget: 0, limit: 0, top: 1000, ...more },
});

export const start = (options: LiveOptions): Promise<LiveMemleak> =>
  LivePlugin.start<LeakSnapshot>(memleak, options);

/** Collects until its probes are in place. */
export const attached = (live: LiveMemleak, pid: number): Promise<Target> =>
  live.until((snapshot) => {
    const target = targetOf(snapshot, pid);
    if (target?.reason !== undefined) throw new Error(`${pid} is not watched: ${target.reason}`);
    return target !== undefined && target.allocators.length > 0 && target;
  });

export const targetOf = ({ targets }: LeakSnapshot, pid: number): Target | undefined =>
  targets.find(({ source }) => source.kind === 'process' && source.pid === pid);

/** What is outstanding by call site: stacks of the same site are one. */
export function bySite({ stacks }: LeakSnapshot, allocator: Allocator): ReadonlyMap<bigint, Sum> {
  const sums = new Map<bigint, Sum>();
  for (const { reading } of stacks) {
    const { source } = reading;
    if (source.kind !== 'process' || source.pid !== allocator.pid) continue;
    const site = allocator.siteOf(reading.frames[0] ?? 0n);
    if (site === undefined) continue;
    const { bytes = 0, count = 0, error = 0 } = sums.get(site.address) ?? {};
    sums.set(site.address, {
      bytes: bytes + reading.bytes,
      count: count + reading.allocations,
      error: Math.hypot(error, reading.bytesError),
    });
  }
  return sums;
}
