/** What makes a cgroup reclaim, and what pr and the kernel's own tracer each saw of it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exhausted, UNKILLABLE } from '../../test/fakes/exhausted.js';
import type { SeenSpan } from '../../test/fakes/live-plugin.js';
import { MemoryCgroup } from '../../test/fakes/memory-cgroup.js';
import { type Caused, PIPE_OF_ORDER, press } from '../../test/fakes/pressure.js';
import type { TracedEvent } from '../../test/fakes/tracing.js';
import {
  episodesOf,
  hasSwap,
  type LivePr,
  type TracedEpisode,
  traceReclaim,
} from './live-truth.js';
import type { ReclaimSnapshot } from './reclaim.js';

const MiB = 2 ** 20;

/** Every episode is a span, however short and however many. */
export const EVERY_EPISODE = {
  constants: { span_threshold_ns: 0, span_interval_ns: 0 },
  maxEntries: { spans: 16 * MiB },
} as const;

/** Of version 1 a file's pages can be taken back; of version 2, in a guest, only swap takes any. */
const mayReclaim = MemoryCgroup.version === 1 || hasSwap();
export const noReclaim = mayReclaim ? false : 'a guest without swap has no page to take back';

/** At its limit, with nothing to take back: many short episodes, of orders 0 and 2. */
export function fail(path?: string): Caused[] {
  const group = exhausted(path);
  try {
    const resize = `resize=${PIPE_OF_ORDER[2]}:3`;
    return press([...UNKILLABLE, 'pipes=40', group.enter, 'pipe=3', resize]);
  } finally {
    group.remove();
  }
}

/** Beyond its limit, with pages to take back: of a file in `dir`, or swapped. */
export function reclaim(dir: string): Caused[] {
  const isV1 = MemoryCgroup.version === 1;
  const group = MemoryCgroup.make(isV1 ? { limit: 16 * MiB } : { high: 16 * MiB });
  const file = join(dir, 'file');
  writeFileSync(file, isV1 ? Buffer.alloc(64 * MiB) : '');
  try {
    return press([group.enter, isV1 ? `read=${file}` : 'anon=10000']);
  } finally {
    group.remove();
  }
}

export interface Witnessed {
  readonly before: ReclaimSnapshot;
  readonly last: ReclaimSnapshot;
  readonly caused: readonly Caused[];
  readonly pid: number;
  /** Of the process that caused it. */
  readonly spans: readonly SeenSpan[];
  readonly own: readonly TracedEpisode[];
  /** Of all. */
  readonly all: readonly TracedEpisode[];
  readonly events: readonly TracedEvent[];
}

/** Runs between two collections, with the tracer as witness. */
export async function witnessed(live: LivePr, run: () => Caused[]): Promise<Witnessed> {
  const before = await live.collect();
  live.spans.length = 0;
  const tracing = traceReclaim();
  try {
    const caused = run();
    const last = await live.collect();
    tracing.stop();
    const events = tracing.read();
    const all = episodesOf(events);
    const pid = caused[0]?.pid ?? 0;
    const spans = live.spans.filter(({ attributes }) => attributes['process.pid'] === pid);
    const own = all.filter(({ tid }) => tid === pid);
    return { before, last, caused, pid, spans, own, all, events };
  } finally {
    tracing.close();
  }
}

export const sorted = (flags: unknown): string[] => String(flags).split('|').sort();
