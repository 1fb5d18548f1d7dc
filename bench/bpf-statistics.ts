/** The kernel's own account of how long BPF programs ran (kernel.bpf_stats_enabled). */
import { readFileSync, writeFileSync } from 'node:fs';
import type { BpfObject } from '../core/bpf/host.js';

const SWITCH = '/proc/sys/kernel/bpf_stats_enabled';

export interface RunTime {
  readonly runs: number;
  readonly ns: number;
}

/** What `programs` did while `work` ran. The statistics themselves cost time: not for ratios. */
export async function runTimeOf(
  object: BpfObject,
  programs: readonly string[],
  work: () => Promise<unknown>,
): Promise<ReadonlyMap<string, RunTime>> {
  const was = readFileSync(SWITCH, 'utf8');
  writeFileSync(SWITCH, '1');
  try {
    const before = programs.map((name) => object.programInfo(name));
    await work();
    return new Map(
      programs.map((name, index) => {
        const { runCount, runTimeNs } = object.programInfo(name);
        const { runCount: count = 0, runTimeNs: ns = 0 } = before[index] ?? {};
        return [name, { runs: runCount - count, ns: runTimeNs - ns }];
      }),
    );
  } finally {
    writeFileSync(SWITCH, was);
  }
}

/** Of all programs together. */
export const totalOf = (times: ReadonlyMap<string, RunTime>): RunTime =>
  [...times.values()].reduce((sum, { runs, ns }) => ({ runs: sum.runs + runs, ns: sum.ns + ns }), {
    runs: 0,
    ns: 0,
  });
