/** Durations and sizes as people write them. */
import * as z from 'zod';

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
  kB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
};

function parse(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text.trim());
  const factor = units[match?.[2] ?? ''];
  return factor === undefined ? undefined : Number(match?.[1]) * factor;
}

/** `10s`, `1.5m`, `250ms` → milliseconds; undefined if it is not a duration. */
export const parseDuration = (text: string) => parse(text, DURATION_UNITS);

/** `64MiB`, `512B`, `512` → bytes; undefined if it is not a size. */
export const parseSize = (text: string) =>
  /^\d+$/.test(text.trim()) ? Number(text) : parse(text, SIZE_UNITS);

/** The largest unit that says `value` without a fraction; `value` itself is the caller's to keep. */
function format(value: number, units: Readonly<Record<string, number>>, skip: RegExp): string {
  const [name, factor] = Object.entries(units)
    .filter(([unit, size]) => !skip.test(unit) && value >= size && value % size === 0)
    .reduce(
      (best, entry) => (entry[1] > best[1] ? entry : best),
      Object.entries(units)[0] ?? ['', 1],
    );
  return `${value / factor}${name}`;
}

/** Milliseconds → `10s`. */
export const formatDuration = (ms: number) => format(ms, DURATION_UNITS, /^d$/);

/** Bytes → `64MiB`. */
export const formatSize = (bytes: number) => format(bytes, SIZE_UNITS, /^[kMG]B$/);

interface Unit {
  readonly kind: 'duration' | 'size';
  readonly mistake: string;
  /** undefined if it is not one. */
  readonly read: (input: string | number) => number | undefined;
  readonly write: (value: number) => string;
}

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

function unit({ kind, mistake, read, write }: Unit, { min = 0, max = Infinity }: Bounds) {
  return z
    .union([z.string(), z.number()], { error: mistake })
    .transform((input, context) => {
      const value = read(input);
      if (value === undefined || !Number.isFinite(value) || value < 0) {
        context.addIssue(mistake);
        return z.NEVER;
      }
      if (value < min) {
        context.addIssue(`must be at least ${write(min)}`);
        return z.NEVER;
      }
      if (value > max) {
        context.addIssue(`must be at most ${write(max)}`);
        return z.NEVER;
      }
      return value;
    })
    .meta({ 'x-kind': kind });
}

/** 24 days. Timers have 31 bits: what is set to more fires at once, and again, without a pause. */
const LONGEST = 24 * 86_400_000;

/** Milliseconds in memory. A bare number is refused: nobody can tell whether it means ms or s. */
export const duration = (bounds: { min?: number } = {}) =>
  unit(
    {
      kind: 'duration',
      mistake: 'must be a duration: a number and its unit (ms, s, m, h, d), for instance 10s',
      read: (input) => (typeof input === 'string' ? parseDuration(input) : undefined),
      write: formatDuration,
    },
    { max: LONGEST, ...bounds },
  );

/** Bytes in memory; a bare number is bytes. */
export const size = (bounds: { min?: number } = {}) =>
  unit(
    {
      kind: 'size',
      mistake: 'must be a size: a number and its unit (B, KiB, MiB, GiB), for instance 64MiB',
      read: (input) => (typeof input === 'string' ? parseSize(input) : input),
      write: formatSize,
    },
    bounds,
  );
