/**
 * One collection against what it replaces: reading /proc/PID/statm and status of every process,
 * which gives fewer figures, and those of resident memory not exactly.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { LivePlugin } from '../plugins/procstat/live-plugin.js';
import { MemoryHog } from '../test/fakes/memory-hog.js';
import { type BenchRow, median } from './bench.js';

export const title = 'procstat: a collection of many processes';

const ROUNDS = 15;
const RATIO = 10;

export async function run(): Promise<BenchRow[]> {
  const missing = MemoryHog.missing();
  if (missing !== undefined) throw new Error(missing);
  const rows: BenchRow[] = [];
  for (const count of [1000, 4000]) rows.push(...(await collection(count)));
  return rows;
}

async function collection(count: number): Promise<BenchRow[]> {
  const hog = await MemoryHog.start({ children: count, anon: 20 });
  const live = new LivePlugin({ top: 50 });
  try {
    let seen = 0;
    const ours = measure(() => {
      seen = live.plugin.collect().processes;
    });
    const theirs = measure(readProc);
    // Of CPU time: on a busy machine the clock measures the neighbours as well.
    const ratio = theirs.cpuMs / ours.cpuMs;
    const name = `${seen} processes`;
    const clock = (ms: number) => ({ note: `${ms.toFixed(1)} ms by the clock` });
    return [
      {
        name: `${name}: collection, the 50 largest and the rest`,
        value: ours.cpuMs,
        unit: 'ms CPU',
        ...clock(ours.ms),
      },
      {
        name: `${name}: /proc/PID/statm and status from Node`,
        value: theirs.cpuMs,
        unit: 'ms CPU',
        ...clock(theirs.ms),
      },
      {
        name: `${name}: times less`,
        value: ratio,
        unit: '×',
        target: `≥ ${RATIO}`,
        met: ratio >= RATIO,
      },
    ];
  } finally {
    await live.close();
    await hog.stop();
  }
}

/** The middle of several rounds, after some to warm up: wall clock, and CPU of this process. */
function measure(work: () => void): { ms: number; cpuMs: number } {
  const wall: number[] = [];
  const cpu: number[] = [];
  for (let round = -5; round < ROUNDS; round++) {
    const cpuBegan = process.cpuUsage();
    const began = performance.now();
    work();
    const ms = performance.now() - began;
    const { user, system } = process.cpuUsage(cpuBegan);
    if (round < 0) continue;
    wall.push(ms);
    cpu.push((user + system) / 1000);
  }
  return { ms: median(wall), cpuMs: median(cpu) };
}

/** What an agent without BPF does, with no more parsing than it needs. */
function readProc(): void {
  let total = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const statm = readFileSync(`/proc/${name}/statm`, 'latin1').split(' ', 2);
      const status = readFileSync(`/proc/${name}/status`, 'latin1');
      for (const [, , kB] of status.matchAll(/^(\w+):\s+(\d+) kB$/gm)) total += Number(kB);
      total += Number(statm[1]);
    } catch {
      // It has exited.
    }
  }
  if (total === 0) throw new Error('/proc says nothing');
}
