const UNITS = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
] as const;

/** Nanoseconds → `3.4 ms`, `38 µs`, `950 ns`, `0`. */
export function durationText(ns: number): string {
  for (const [size, unit] of UNITS) {
    if (ns >= size) return `${(ns / size).toFixed(ns < 10 * size ? 1 : 0)} ${unit}`;
  }
  return ns === 0 ? '0' : `${Math.round(ns)} ns`;
}
