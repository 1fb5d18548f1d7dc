import type { FileLine } from '../reporter.js';
import type { GuestResult } from './guest.js';

const NAMED = 12;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** Where the time of a guest went: its boot, its slowest files, and all that is neither. */
export function timesText(
  { bootMs, totalMs }: Pick<GuestResult, 'bootMs' | 'totalMs'>,
  files: readonly FileLine[],
): string {
  const slowest = files.toSorted((a, b) => b.ms - a.ms);
  const sum = (lines: readonly FileLine[]) => lines.reduce((all, { ms }) => all + ms, 0);
  const named = slowest.slice(0, NAMED).map(({ file, ms }) => `${nameOf(file)} ${seconds(ms)}`);
  const others = slowest.slice(NAMED);
  if (others.length > 0) named.push(`${others.length} others ${seconds(sum(others))}`);
  const rest = totalMs - bootMs - sum(files);
  return `boot ${seconds(bootMs)}, files: ${named.join(', ')}; rest ${seconds(rest)}`;
}

const nameOf = (file: string): string => file.replace(/^dist\/|\.test\.js$/g, '');
