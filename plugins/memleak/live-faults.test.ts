/** What may go wrong with the watched, with the watcher and with the room that it has. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, type TestContext, test } from 'node:test';
import { Allocator } from '../../test/fakes/allocator.js';
import type { LiveOptions } from '../../test/fakes/live-plugin.js';
import { ROOT } from '../../test/vm/initramfs.js';
import {
  attached,
  bySite,
  type LiveMemleak,
  start,
  targetOf,
  withoutBudget,
} from './live-truth.js';
import type { LeakSnapshot } from './model.js';

const MAIN = join(ROOT, 'dist/core/main.js');
const THREADS = 4;
/** Enough to be in the middle of. */
const ALLOCATIONS = 100_000;

describe('faults', { skip: Allocator.missing() ?? false, timeout: 300_000 }, () => {
  test('the agent is killed while its target is in the middle of it: the target goes on unharmed', async (t) => {
    const allocator = await working(t, THREADS, ALLOCATIONS);
    const agent = startAgent(t, allocator.pid);
    await recording(agent, allocator.pid, () => allocator.work());
    const work = allocator.work();
    const killed = once(agent, 'close');
    agent.kill('SIGKILL');
    await killed;
    const held = await work;
    assert.ok(held.every(({ count }) => count > 0));
    assert.ok((await allocator.work()).length > 0, 'it works on where nobody watches');
    // Whoever comes next begins anew, and is not confused by what was left.
    const live = await watching(t, withoutBudget(allocator.pid));
    await attached(live, allocator.pid);
    await allocator.work();
    assert.equal(targetOf(await live.collect(), allocator.pid)?.reason, undefined);
  });

  test('the target is killed while it is watched: its account is closed, and others’ go on', async (t) => {
    const allocator = await working(t, THREADS, ALLOCATIONS);
    const other = await working(t, 1, 1000);
    const targets = [{ pid: allocator.pid }, { pid: other.pid }];
    const live = await watching(t, { config: { targets, budget: 0, limit: 0, top: 1000 } });
    await attached(live, allocator.pid);
    await attached(live, other.pid);
    const work = allocator.work().catch(() => undefined);
    await live.until((snapshot) => (targetOf(snapshot, allocator.pid)?.coverage.recorded ?? 0) > 0);
    await allocator.stop();
    await work;
    const last = await live.until(
      (snapshot) => targetOf(snapshot, allocator.pid)?.ended && snapshot,
    );
    const held = await other.work();
    const snapshot = await live.collect();
    const account = (of: LeakSnapshot) => targetOf(of, allocator.pid)?.bytes;
    assert.equal(account(snapshot), account(last), 'the account of the dead is closed');
    assert.equal(targetOf(snapshot, other.pid)?.reason, undefined);
    const seen = bySite(snapshot, other);
    for (const { address, bytes, count } of held) {
      const sum = seen.get(address);
      assert.deepEqual([sum?.bytes ?? 0, sum?.count ?? 0], [bytes, count]);
    }
  });

  test('a full map: what found no room is counted, and the coverage says how much that is', async (t) => {
    const room = 2048;
    const allocator = await working(t, THREADS, 5 * room);
    const live = await watching(
      t,
      withoutBudget(allocator.pid, {
        max_allocations: room,
        // How full it is is known of the looks at ages, ten a window.
        judging: { window: '2s' },
      }),
    );
    await attached(live, allocator.pid);
    const held = await allocator.work();
    const truth = held.reduce((sum, { count }) => sum + count, 0);
    assert.ok(truth > room, `${truth} fit into ${room}: nothing was full`);
    const snapshot = await live.collect();
    const { coverage } = targetOf(snapshot, allocator.pid) ?? {};
    assert.ok(coverage && coverage.missedAllocations > 0);
    assert.match(live.health.current.reason ?? '', /found no room.*max_allocations \(2048\)/);
    await live.until(
      () => (live.self.maps.find(({ name }) => name === 'live')?.fullness ?? 0) > 0.9,
    );
    const seen = [...bySite(snapshot, allocator).values()].reduce(
      (sum, { count }) => sum + count,
      0,
    );
    assert.ok(seen <= room, `${seen} of ${room}`);
    assert.ok(snapshot.stacks.every(({ judgement }) => judgement.coverage < 1));
  });
});

async function working(t: TestContext, threads: number, allocations: number): Promise<Allocator> {
  const allocator = await Allocator.start('allocator-dynamic', 'work', threads, allocations);
  t.after(() => allocator.stop());
  return allocator;
}

async function watching(t: TestContext, options: LiveOptions): Promise<LiveMemleak> {
  const live = await start(options);
  t.after(() => live.close());
  return live;
}

function startAgent(t: TestContext, pid: number): ChildProcess {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-faults-'));
  const file = join(dir, 'agent.yaml');
  const off = Object.fromEntries(
    ['paf', 'pr', 'procstat', 'sysstat'].map((name) => [name, { enabled: false }]),
  );
  const memleak = { enabled: true, targets: [{ pid }], budget: 0, limit: 0 };
  const config = {
    interval: '200ms',
    // An emulated machine takes its time to start.
    start_timeout: '2m',
    shutdown_timeout: '2m',
    exporters: { prometheus: { enabled: false } },
    plugins: { ...off, memleak },
  };
  writeFileSync(file, JSON.stringify(config));
  const agent = spawn(process.execPath, [MAIN, 'run', '--json', '--config', file], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.after(() => {
    agent.kill('SIGKILL');
    rmSync(dir, { recursive: true });
  });
  return agent;
}

/** Lets the target work, over and over, until the agent says that it has recorded something of it. */
async function recording(agent: ChildProcess, pid: number, work: () => Promise<unknown>) {
  if (!agent.stdout) throw new Error('the agent has no output');
  const stopped = new AbortController();
  const worked = repeat(work, stopped.signal);
  for await (const line of createInterface({ input: agent.stdout })) {
    const record = JSON.parse(line) as {
      readonly name?: string;
      readonly value?: number;
      readonly attributes: Readonly<Record<string, unknown>>;
    };
    const isOwn = record.attributes['process.pid'] === pid;
    if (isOwn && record.name === 'memwatcher.allocation.recorded' && (record.value ?? 0) > 0) {
      stopped.abort();
      return worked;
    }
  }
  throw new Error('the agent ended before it saw anything');
}

async function repeat(work: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await work();
}
