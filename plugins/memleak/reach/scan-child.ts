/**
 * The process that reads the memory of others: started by `scanner.ts`. It gives up all rights, and then
 * can read but what it is handed: one target at a time, until the agent closes its end.
 */
import { closeSync, readSync, writeSync } from 'node:fs';
import { libc } from '../../../core/symbolize/libc.js';
import {
  giveUpEverything,
  mustStartAgain,
  SOCKET,
  startAgain,
} from '../../../core/symbolize/sandbox.js';
import { Blocks } from './blocks.js';
import { Marker } from './marker.js';
import { decodeOrder, encodeOutcome, type Outcome, READY } from './scan-wire.js';
import { runsOfTarget, type TargetFiles, TargetMemory } from './target-memory.js';
import { Words } from './words.js';

function run(): void {
  for (let files = receiveFiles(); files; files = receiveFiles()) {
    const answer = scan(files, readOrder());
    for (let at = 0; at < answer.length; at += writeSync(1, answer, at));
    for (const fd of Object.values(files)) closeSync(fd);
  }
}

function scan(files: TargetFiles, bytes: Buffer): Buffer {
  const before = process.cpuUsage();
  scanBegan = performance.now();
  const { order, starts, sizes } = decodeOrder(bytes);
  const memory = new TargetMemory(files);
  const marker = new Marker(new Blocks(starts, sizes), memory, words);
  const runs = runsOfTarget(files, memory);
  const swapped = sumOf(runs.filter(({ isSwapped }) => isSwapped));
  if (swapped > order.mostSwapped) memory.miss('swap', swapped);
  else {
    memory.runs = runs;
    for (const run of runs) marker.roots(run);
    for (const root of order.roots) marker.root(root);
    marker.follow();
    lookAgain(marker, order.passes);
  }
  const { user, system } = process.cpuUsage(before);
  const outcome: Outcome = {
    read: memory.bytesRead,
    unread: memory.unread,
    swapped,
    cpuMs: (user + system) / 1000,
    peakMemory: process.resourceUsage().maxRSS * 1024,
  };
  return encodeOutcome(outcome, marker.reached);
}

/**
 * The program ran on while its memory was read: lists that were changed meanwhile may look cut. Short looks at what
 * matters follow, as often as is asked for, and no longer together than the first took.
 */
function lookAgain(marker: Marker, passes: number): void {
  const began = performance.now();
  const first = began - scanBegan;
  const most = Math.min(Math.max(LEAST_AGAIN_MS, first), MOST_AGAIN_MS);
  for (let pass = 0; pass < passes && marker.hasUnreached; pass++) {
    if (performance.now() - began >= most) break;
    marker.again();
  }
}

/** Its file and its address space are had before the rights to them are given up. */
const words = new Words();
let scanBegan = 0;
const LEAST_AGAIN_MS = 20;
/** Who waits for the answer does not wait for ever. */
const MOST_AGAIN_MS = 5000;

const sumOf = (runs: readonly { readonly start: number; readonly end: number }[]) =>
  runs.reduce((sum, { start, end }) => sum + end - start, 0);

/** undefined once the agent is done. */
function receiveFiles(): TargetFiles | undefined {
  const [mem, maps, pagemap] = [0, 1, 2].map(() => libc().receiveFile(SOCKET));
  if (mem === undefined || maps === undefined || pagemap === undefined) return undefined;
  return { mem, maps, pagemap };
}

const readOrder = (): Buffer => readExactly(readExactly(4).readUInt32LE(0));

function readExactly(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const read = readSync(0, bytes, at, length - at, null);
    if (read === 0) throw new Error('the order was cut');
    at += read;
  }
  return bytes;
}

const [memory = '', cpuSeconds = '', again] = process.argv.slice(2);
if (again === undefined && mustStartAgain()) {
  startAgain(process.execPath, [...process.execArgv, ...process.argv.slice(1), 'again']);
}
try {
  giveUpEverything({ memory: Number(memory), cpuSeconds: Number(cpuSeconds), files: 64 });
  writeSync(1, READY);
  run();
} catch (error) {
  writeSync(2, `Error: ${error instanceof Error ? error.message : String(error)}\n`);
  libc().exit(1);
}
libc().exit(0);
