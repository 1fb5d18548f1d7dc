/**
 * Whether confidences are calibrated: of all sites called leaks with a confidence of c, a share of c
 * should be leaks. Pure: every bench and test that knows the truth gives its claims, one a site.
 */
import type { BenchRow } from './bench.js';

/** A site that was called a leak, and the truth. */
export interface Claim {
  /** 0 to 1: as the report had it. */
  readonly confidence: number;
  readonly isLeak: boolean;
}

/** Claims of about the same confidence. */
export interface Bin {
  /** Confidences from here, inclusive, to `to`, exclusive; the last bin includes 1. */
  readonly from: number;
  readonly to: number;
  readonly claims: number;
  readonly leaks: number;
  /** Mean confidence; NaN without claims. */
  readonly confidence: number;
  /** Leaks of all claims; NaN without claims. */
  readonly share: number;
  /** Wilson interval of `share`, 95 %. */
  readonly interval: Interval;
}

export type Interval = readonly [low: number, high: number];

const EDGES: readonly number[] = [0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1];
/** Standard deviations on both sides: 95 %. */
const Z = 1.96;

/** The reliability curve: a bin between each two neighbors of `edges`, the least confident first. */
export const reliability = (claims: readonly Claim[], edges = EDGES): Bin[] =>
  edges.slice(1).map((to, n) => {
    const from = edges[n] ?? 0;
    const isLast = n === edges.length - 2;
    return binOf(claims, from, to, isLast);
  });

/** All claims of at least this confidence. */
export const claimedFrom = (claims: readonly Claim[], confidence: number): Bin =>
  binOf(claims, confidence, 1, true);

/** Whether its claims are right as often as they say, or the difference may be chance. */
export const holds = ({ claims, confidence, interval: [, high] }: Bin): boolean =>
  claims === 0 || confidence <= high;

/**
 * The score interval of a proportion (E. B. Wilson, "Probable Inference, the Law of Succession, and
 * Statistical Inference", 1927): sound for few trials and for shares near 0 and 1.
 */
export function wilson(successes: number, trials: number): Interval {
  if (trials === 0) return [0, 1];
  const share = successes / trials;
  const square = (Z * Z) / trials;
  const middle = share + square / 2;
  const half = Z * Math.sqrt((share * (1 - share)) / trials + square / (4 * trials));
  return [
    successes === 0 ? 0 : (middle - half) / (1 + square),
    successes === trials ? 1 : (middle + half) / (1 + square),
  ];
}

/** The curve as a bench prints it; a bin without claims has no row. */
export function calibrationRows(name: string, claims: readonly Claim[]): BenchRow[] {
  const bins = reliability(claims).filter(({ claims: all }) => all > 0);
  const high = claimedFrom(claims, 0.95);
  return [
    ...bins.map((bin) => rowOf(`${name}: called ${bin.from} to ${bin.to}`, bin, holds(bin))),
    ...(high.claims === 0
      ? []
      : [rowOf(`${name}: called 0.95 and more`, high, high.interval[1] >= 0.95)]),
  ];
}

function rowOf(name: string, bin: Bin, met: boolean): BenchRow {
  const [low, high] = bin.interval;
  return {
    name,
    value: bin.share,
    unit: 'leaks',
    target: `≥ ${bin.confidence.toFixed(2)}`,
    met,
    note: `${bin.leaks} of ${bin.claims} claims are leaks, 95 % interval ${low.toFixed(3)} to ${high.toFixed(3)}`,
  };
}

function binOf(claims: readonly Claim[], from: number, to: number, isClosed: boolean): Bin {
  const inside = claims.filter(
    ({ confidence }) => confidence >= from && (confidence < to || (isClosed && confidence <= to)),
  );
  const leaks = inside.filter(({ isLeak }) => isLeak).length;
  const sum = inside.reduce((total, { confidence }) => total + confidence, 0);
  return {
    from,
    to,
    claims: inside.length,
    leaks,
    confidence: sum / inside.length,
    share: leaks / inside.length,
    interval: wilson(leaks, inside.length),
  };
}
