/** One measured figure; `bench/main.ts` prints them by bench, beside the machine's facts. */
export interface BenchRow {
  readonly name: string;
  readonly value: number;
  /** As it is printed: `ns/event`, `ms`. */
  readonly unit: string;
  /** What was promised, as people read it: `≤ 60`. */
  readonly target?: string;
  readonly met?: boolean;
  readonly note?: string;
}

/** A bench file, `bench/<name>.bench.ts`. */
export interface Bench {
  readonly title: string;
  run(): Promise<BenchRow[]>;
}

/** The middle of several measurements: one slow one must not decide. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
