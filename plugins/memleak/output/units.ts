/** Figures of leaks as people read them. */
import { formatBytes, formatCount } from '../../../core/cli/format.js';

/** Bytes that may be an estimate: `1.5 MiB`, plainly `1572864`. */
export const formatSize = (bytes: number, plain = false): string =>
  formatBytes(Math.round(bytes), plain);

/** An estimate with its standard error: `256 KiB ±29.3 KiB`. */
export const formatEstimate = (bytes: number, error: number, plain = false): string =>
  error > 0 ? `${formatSize(bytes, plain)} ±${formatSize(error, plain)}` : formatSize(bytes, plain);

/** Bytes an hour with their sign: `+12.3 MiB`; `-` where nothing is known. */
export function formatGrowth(growth: number | undefined, plain = false): string {
  if (growth === undefined) return '-';
  return growth > 0 ? `+${formatSize(growth, plain)}` : formatSize(growth, plain);
}

const STEPS = [
  { unit: 'd', seconds: 86_400, least: 172_800 },
  { unit: 'h', seconds: 3600, least: 7200 },
  { unit: 'min', seconds: 60, least: 120 },
] as const;

/** `42 s`, `15 min`, `3 h`, `12 d`; `-` where nobody looked. */
export function formatAge(seconds: number | undefined): string {
  if (seconds === undefined) return '-';
  const step = STEPS.find(({ least }) => seconds >= least);
  if (step) return `${Math.floor(seconds / step.seconds)} ${step.unit}`;
  return `${seconds < 10 ? seconds.toFixed(1) : Math.floor(seconds)} s`;
}

/** A share as `98 %`; `-` where there is none. Never 100 % of what is not whole. */
export function formatShare(share: number | undefined): string {
  if (share === undefined) return '-';
  return `${share >= 1 ? 100 : Math.min(99, Math.round(share * 100))} %`;
}

/** `1.2 M`, `45 k`, `123`. */
export function formatMany(count: number): string {
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} M`;
  return count >= 10_000 ? `${Math.round(count / 1000)} k` : String(Math.round(count));
}

/** `1 allocation`, `12,345 allocations`; of an estimate the nearest. */
export function formatAllocations(count: number): string {
  const whole = Math.round(count);
  return `${formatCount(whole)} ${whole === 1 ? 'allocation' : 'allocations'}`;
}
