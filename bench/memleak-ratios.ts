/** How what watching adds compares: with the peer's, and with that of probes that do nothing. */
import type { BenchRow } from './bench.js';
import { type Ratio, summary } from './interleave.js';

export const FULL = 'full';
export const SAMPLED = 'sampling 512 KiB';
export const FLOOR = 'two empty probes';
export const PEER = 'libbpf-tools memleak';

/**
 * `added`: what each way of watching added, by round. Rounds are compared with their own: what the
 * machine did meanwhile hits both alike.
 */
export function ratioRows(
  name: string,
  added: ReadonlyMap<string, readonly number[]>,
  floor = FLOOR,
): BenchRow[] {
  const row = (
    what: string,
    [over, under]: readonly [string, string],
    meets: (value: number) => boolean,
    target: string,
  ): BenchRow[] => {
    const found = ratio(added.get(over), added.get(under));
    if (found === undefined) return [];
    const note = `95 %: ${found.low.toFixed(2)} to ${found.high.toFixed(2)}`;
    const judged = { target, met: meets(found.median) };
    return [{ name: `${name}: ${what}`, value: found.median, unit: '×', note, ...judged }];
  };
  return [
    ...row(`${FULL}: cheaper than ${PEER}`, [PEER, FULL], (value) => value >= 4, '≥ 4'),
    ...row(`${SAMPLED}: cheaper than ${PEER}`, [PEER, SAMPLED], (value) => value >= 8, '≥ 8'),
    ...row(`${SAMPLED}: over ${floor}`, [SAMPLED, floor], (value) => value <= 1.5, '≤ 1.5'),
  ];
}

function ratio(
  over: readonly number[] | undefined,
  under: readonly number[] | undefined,
): Ratio | undefined {
  if (over === undefined || under === undefined) return undefined;
  return summary(over.map((value, round) => value / (under[round] ?? Number.NaN)));
}
