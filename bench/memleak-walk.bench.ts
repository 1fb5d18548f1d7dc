import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { BpfMap } from '../core/bpf/host.js';
import { createBpfHost } from '../core/bpf/libbpf.js';
import { findInstallation } from '../core/install.js';
import { createBpfLoader } from '../core/kernel/loader.js';
import { readProfile } from '../core/kernel/profile.js';
import { RunningKernel } from '../core/kernel/running-kernel.js';
import { silentLogger } from '../core/logger.js';
import { Scope } from '../core/scope.js';
import { HERITAGE, WALKED_MAPS } from '../plugins/memleak/user/passes.js';
import { openUserWatch, type UserWatcher } from '../plugins/memleak/user/watcher.js';
import { walkMissing, withWalk } from '../plugins/memleak/walk/live-only.js';
import { LARGEST, LIMIT, WALKS, type WalkName } from '../plugins/memleak/walk/walk.js';
import type { BenchRow } from './bench.js';

export const title =
  'memleak: a pass over all live allocations, and a copy of them for a child, in a table for 1,048,576';

const PASSES = 25;
const BATCH = 2048;
/** Targets have the first slots. */
const FIRST_SLOT = 128;
const STACKS = 10_000;
/** Of the copies: behind those that the children of all passes get. */
const FIRST_COPIED = FIRST_SLOT + 3 * STACKS;
const HALF_SECOND = 500_000_000n;

const installation = findInstallation(import.meta.url);
const kernel = new RunningKernel();
const profile = readProfile(installation.profiles, 'memleak');

export async function run(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const walk of WALKS) {
    const why = walkMissing(kernel, profile, walk, WALKED_MAPS);
    if (why !== undefined) process.stderr.write(`memleak-walk: no ${walk}: ${why}\n`);
    else rows.push(...(await measure(walk)), ...(await measureCopies(walk)));
  }
  return rows;
}

const PARENT = { pid: process.pid, startTime: 0 };
const CHILD = { pid: 1, startTime: 1 };

function open(walk: WalkName, scope: Scope, maxStacks: number): UserWatcher {
  const loader = createBpfLoader({
    host: createBpfHost(),
    kernel,
    profile: withWalk(profile, walk),
    objectFile: installation.bpfObject('memleak'),
    strategy: 'auto',
    logger: silentLogger,
  });
  const watch = openUserWatch(loader, scope, {
    maxAllocations: LARGEST,
    maxStacks,
    maxDepth: 64,
    maxTargets: FIRST_SLOT,
  });
  watch.follow(PARENT, []);
  return watch;
}

async function measure(walk: WalkName): Promise<BenchRow[]> {
  const scope = new Scope();
  try {
    const watch = open(walk, scope, STACKS);
    const rows: BenchRow[] = [];
    let filled = 0;
    for (const allocations of [0, LIMIT, 100_000, 1_000_000]) {
      fill(watch.loaded.object.map('live'), filled, allocations, FIRST_SLOT);
      filled = allocations;
      rows.push(...passes(walk, watch, allocations));
    }
    return rows;
  } finally {
    await scope.close();
  }
}

/** What a traced process has, for its child, with a stack of its own for each allocation. */
async function measureCopies(walk: WalkName): Promise<BenchRow[]> {
  const scope = new Scope();
  try {
    const watch = open(walk, scope, 4 * STACKS);
    giveStacks(watch);
    const rows: BenchRow[] = [];
    let filled = 0;
    for (const allocations of [HERITAGE.limit, 100_000]) {
      fill(watch.loaded.object.map('live'), filled, allocations, FIRST_COPIED);
      filled = allocations;
      rows.push(...copies(walk, watch, allocations));
    }
    return rows;
  } finally {
    await scope.close();
  }
}

function giveStacks({ loaded: { object } }: UserWatcher): void {
  const { bytes, stride } = object.map('slots').mapped();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let n = 0; n < STACKS; n++) view.setUint32((FIRST_COPIED + n) * stride, n + 1, true);
}

function copies(walk: WalkName, watch: UserWatcher, allocations: number): BenchRow[] {
  const wholes: number[] = [];
  const calls: number[] = [];
  for (let n = 0; n < PASSES; n++) {
    const timing = timedCalls(watch);
    timed(wholes, () => watch.follow(CHILD, [], PARENT));
    calls.push(...timing.end());
    watch.forget(CHILD);
    // Two passes remove the copies and give their stacks back.
    for (let pass = 0; pass < 2; pass++) watch.read({ ages: true });
  }
  const name = `${walk}, ${allocations.toLocaleString('en')} allocations copied`;
  return [
    { name: `${name}: the copy`, value: Math.min(...wholes), unit: 'ms' },
    { name: `${name}: its longest system call at most`, value: Math.max(...calls), unit: 'ms' },
  ];
}

function passes(walk: WalkName, watch: UserWatcher, allocations: number): BenchRow[] {
  const wholes: number[] = [];
  const calls: (readonly number[])[] = [];
  watch.read({ ages: true });
  for (let n = 0; n < PASSES; n++) {
    const timing = timedCalls(watch);
    timed(wholes, () => watch.read({ ages: true }));
    calls.push(timing.end());
  }
  const name = `${walk}, ${allocations.toLocaleString('en')} allocations`;
  return [
    { name: `${name}: the pass`, value: Math.min(...wholes), unit: 'ms' },
    { name: `${name}: its longest system call`, value: longest(calls), unit: 'ms' },
    { name: `${name}: the same at most`, value: Math.max(...calls.flat()), unit: 'ms' },
  ];
}

/** Passes make the same calls: of each the quickest run, which nothing interrupted, and of these the longest. */
function longest(passes: readonly (readonly number[])[]): number {
  const [first = []] = passes;
  const quickest = first.map((_, call) =>
    passes.reduce((least, pass) => Math.min(least, pass[call] ?? least), Number.POSITIVE_INFINITY),
  );
  return quickest.reduce((most, time) => Math.max(most, time), 0);
}

/** Takes the time of every system call that walks `live`. */
function timedCalls({ loaded: { object } }: UserWatcher): { end(): readonly number[] } {
  const times: number[] = [];
  const live = object.map('live');
  const { run } = object;
  const { batches, updateMany } = live;
  const { readSync } = fs;
  object.run = (...args) => timed(times, () => run.apply(object, args));
  live.updateMany = (...args) => timed(times, () => updateMany.apply(live, args));
  live.batches = function* each(size) {
    const all = batches.call(live, size);
    for (;;) {
      const next = timed(times, () => all.next());
      if (next.done) return;
      yield next.value;
    }
  };
  fs.readSync = ((...args: Parameters<typeof readSync>) =>
    timed(times, () => readSync(...args))) as typeof readSync;
  syncBuiltinESMExports();
  return {
    end() {
      object.run = run;
      live.batches = batches;
      live.updateMany = updateMany;
      fs.readSync = readSync;
      syncBuiltinESMExports();
      return times;
    },
  };
}

function timed<T>(times: number[], call: () => T): T {
  const from = performance.now();
  const result = call();
  times.push(performance.now() - from);
  return result;
}

/** Of the first target, spread over all stacks and over half a second. */
function fill(live: BpfMap, from: number, to: number, firstSlot: number): void {
  const now = process.hrtime.bigint();
  for (let first = from; first < to; first += BATCH) {
    const count = Math.min(BATCH, to - first);
    const keys = new BigUint64Array(2 * count);
    const values = new BigUint64Array(3 * count);
    for (let n = 0; n < count; n++) {
      const number = BigInt(first + n);
      const born = (now - ((number * 7919n) % HALF_SECOND)) >> 20n;
      keys[2 * n] = 0x7f00_0000_0000n + number * 64n;
      values.set([64n, 65_536n, (born << 24n) | BigInt(firstSlot + ((first + n) % STACKS))], 3 * n);
    }
    live.updateMany(new Uint8Array(keys.buffer), new Uint8Array(values.buffer));
  }
}
