import type { HistogramPoint } from '../../core/telemetry/points.js';
import type { Durations } from './reclaim.js';

/** The lowest bucket of struct pr_cgroup holds (2^-31, 2^-30] seconds. */
export const BUCKET_OFFSET = -31;
const NS_PER_S = 1e9;

/** An OpenTelemetry exponential histogram of scale 0, in seconds. */
export function histogramOf(durations: Durations): Omit<HistogramPoint, 'attributes'> {
  const { buckets, instant, ns, maxNs, exemplars } = durations;
  const first = buckets.findIndex((count) => count > 0);
  const last = buckets.findLastIndex((count) => count > 0);
  const counted = buckets.reduce((sum, count) => sum + count, 0);
  return {
    // Not `count`: an episode may have ended between the kernel's two additions.
    count: counted + instant,
    sum: ns / NS_PER_S,
    ...(maxNs > 0 && { max: maxNs / NS_PER_S }),
    zeroCount: instant,
    offset: BUCKET_OFFSET + Math.max(0, first),
    buckets: first < 0 ? [] : buckets.slice(first, last + 1),
    ...(exemplars.length > 0 && { exemplars }),
  };
}

/** Upper bound of a bucket of struct pr_cgroup, seconds. */
export const upperBound = (bucket: number) => 2 ** (bucket + BUCKET_OFFSET + 1);
