/** The truth that the end-to-end tests compare with: /proc, read by nothing of the agent's. */
import { readFileSync } from 'node:fs';
import { setInterval } from 'node:timers';
import { command } from '../command.js';

export const PAGE_SIZE = Number(command('getconf', ['PAGESIZE']));

/** `Name:  123 kB` lines as bytes. */
function kilobytes(file: string): ReadonlyMap<string, number> {
  const lines = readFileSync(file, 'utf8').matchAll(/^(\w+):\s+(\d+) kB$/gm);
  return new Map([...lines].map(([, name = '', value]) => [name, Number(value) * 1024]));
}

export const statusOf = (pid: number): ReadonlyMap<string, number> =>
  kilobytes(`/proc/${pid}/status`);

/** Counted page by page by the kernel, where `status` may lag behind. */
export const smapsOf = (pid: number): ReadonlyMap<string, number> =>
  kilobytes(`/proc/${pid}/smaps_rollup`);

/** Unix ns at 0 of CLOCK_MONOTONIC. The wall's clock is told in whole ms: as one of them begins. */
export function clockOffset(samples = 10_000): bigint {
  let offset = 0n;
  for (let sample = 0; sample < samples; sample++) {
    const now = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
    if (now > offset) offset = now;
  }
  return offset;
}

interface Sample {
  readonly time: number;
  readonly values: ReadonlyMap<string, number>;
}

export interface Bounds {
  readonly low: number;
  readonly high: number;
}

/**
 * /proc/vmstat over time. A value that the agent read at time T must lie between the extremes seen
 * around T, give or take the largest step that the counter made there: between two samples it may
 * have gone further and come back.
 */
export class VmstatHistory {
  readonly #samples: Sample[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(everyMs = 20) {
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#sample();
  }

  /** Whether this kernel counts it. */
  has(name: string): boolean {
    return this.#samples[0]?.values.has(name) ?? false;
  }

  /** In the file's unit, around `time` (Unix ms); undefined if there were not enough samples. */
  around(name: string, time: number, marginMs = 250): Bounds | undefined {
    const near = this.#samples
      .filter((sample) => Math.abs(sample.time - time) <= marginMs)
      .flatMap((sample) => sample.values.get(name) ?? []);
    if (near.length < 2) return undefined;
    const steps = near.slice(1).map((value, index) => Math.abs(value - (near[index] ?? value)));
    const slack = Math.max(...steps);
    return { low: Math.min(...near) - slack, high: Math.max(...near) + slack };
  }

  #sample(): void {
    const lines = readFileSync('/proc/vmstat', 'utf8').matchAll(/^(\w+) (\d+)$/gm);
    this.#samples.push({
      time: Date.now(),
      values: new Map([...lines].map(([, name = '', value]) => [name, Number(value)])),
    });
  }
}
