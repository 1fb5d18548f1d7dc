/** What a look for pointers costs: a process of a gigabyte, in blocks that point to each other. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Scanner } from '../plugins/memleak/reach/scanner.js';
import { liveProc, NS_PER_TICK, readStat } from '../plugins/memleak/targets/proc.js';
import { command } from '../test/command.js';
import type { BenchRow } from './bench.js';

export const title = 'Whether anything points to what is held: scans of a process of 1 GiB';

const SOURCE = fileURLToPath(new URL('../../bench/pointers.c', import.meta.url));
const MIB = 2 ** 20;
const ROUNDS = 5;
/** Blocks, and bytes of each: half of the process. The other half is one array of numbers. */
const SHAPES = [
  { blocks: 16_384, size: 32_768 },
  { blocks: 1_000_000, size: 512 },
];

export async function run(): Promise<BenchRow[]> {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-scan-'));
  const program = join(dir, 'pointers');
  command('cc', ['-O2', '-o', program, SOURCE]);
  const rows: BenchRow[] = [];
  for (const { blocks, size } of SHAPES) {
    const child = spawn(program, [String(blocks), String(size), String(512 * MIB)]);
    try {
      rows.push(...(await rowsOf(child, blocks, size)));
    } finally {
      child.kill('SIGKILL');
    }
  }
  rmSync(dir, { recursive: true });
  return rows;
}

async function rowsOf(child: ChildProcess, blocks: number, size: number): Promise<BenchRow[]> {
  const starts = await addressesOf(child, blocks);
  const pid = child.pid ?? 0;
  const startTime = (readStat(liveProc, pid)?.startTicks ?? 0) * NS_PER_TICK;
  const scanner = new Scanner();
  let [best, bytes, peak, reached] = [Number.POSITIVE_INFINITY, 0, 0, 0];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const held = { starts, sizes: starts.map(() => size) };
      const scan = await scanner.scan({ pid, startTime }, held, []);
      best = Math.min(best, scan.cpuMs);
      bytes = scan.read;
      peak = scan.peakMemory;
      reached = scan.reached.reduce((sum, one) => sum + one, 0);
    }
  } finally {
    scanner.close();
  }
  const name = `${blocks.toLocaleString('en')} blocks of ${size} bytes`;
  // What is read of a block is read twice: as memory that is no root, and as what it points from.
  const rate = (1024 * MIB) / (best * 1e6);
  return [
    {
      name: `${name}: memory of the process`,
      value: rate,
      unit: 'GB a second of CPU',
      target: '≥ 1',
      met: rate >= 1,
      note: `${Math.round(bytes / MIB)} MiB read in ${Math.round(best)} ms, ${reached} reached`,
    },
    { name: `${name}: memory of the scanner`, value: peak / MIB, unit: 'MiB' },
  ];
}

/** As the program prints them, ascending. */
async function addressesOf(child: ChildProcess, count: number): Promise<Float64Array> {
  const starts: number[] = [];
  if (!child.stdout) throw new Error('the program has no output');
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'ready') break;
    starts.push(Number.parseInt(line, 16));
  }
  if (starts.length !== count) throw new Error(`${starts.length} of ${count} blocks`);
  return Float64Array.from(starts).sort();
}
