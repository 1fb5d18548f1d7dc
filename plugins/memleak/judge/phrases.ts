const UNITS = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
] as const;

/** Seconds → `45 s`, `3.5 min`, `2.1 d`. */
export function duration(seconds: number): string {
  for (const [size, unit] of UNITS) {
    if (seconds >= 2 * size) return `${Number((seconds / size).toPrecision(2))} ${unit}`;
  }
  return `${Math.round(seconds)} s`;
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`;
