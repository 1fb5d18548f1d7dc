/** Durations and sizes as people write them. */
import { z } from 'zod';

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

/** `64MiB`, `512B` → bytes; undefined if it is not a size. */
export const parseSize = (text: string) => parse(text, SIZE_UNITS);

function unit(
  what: string,
  examples: string,
  parser: (text: string) => number | undefined,
  { min = 0 }: { min?: number },
) {
  return z.union([z.string(), z.number()]).transform((input, context) => {
    const value = typeof input === 'number' ? input : parser(input);
    if (value === undefined || !Number.isFinite(value)) {
      context.addIssue(`not a ${what}: write a number and its unit, for instance ${examples}`);
      return z.NEVER;
    }
    if (value < min) {
      context.addIssue(`the ${what} is too small`);
      return z.NEVER;
    }
    return value;
  });
}

/** Milliseconds in memory. */
export const duration = (bounds: { min?: number } = {}) =>
  unit('duration', '10s or 250ms', parseDuration, bounds);

/** Bytes in memory. */
export const size = (bounds: { min?: number } = {}) =>
  unit('size', '64MiB or 512KiB', parseSize, bounds);
