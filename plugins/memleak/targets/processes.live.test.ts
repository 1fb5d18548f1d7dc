/** Real processes: who is found, told apart, let go and followed again. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { casesOf } from '../../../test/fakes/cases.js';
import { MemoryCgroup } from '../../../test/fakes/memory-cgroup.js';
import type { Program } from './testing/program.js';
import {
  addresses,
  Bench,
  dir,
  dynamic,
  inodeOf,
  skip,
  start,
  staticGlibc,
} from './testing/stage.js';

const noCgroups = MemoryCgroup.missing() ?? false;
const CONTAINER = 'c0ffee12'.repeat(8);

describe('a process by its pid', { skip }, () => {
  it('has the container that it is in now, and what it was in last when it has ended', {
    skip: noCgroups,
  }, async (context) => {
    const service = MemoryCgroup.make({});
    context.after(() => service.remove());
    const container = MemoryCgroup.make({ path: CONTAINER });
    context.after(() => container.remove());
    const program = await start(context);
    service.write('cgroup.procs', String(program.pid));
    const bench = await new Bench(context, { targets: [{ pid: program.pid }] }).pass();
    assert.equal(bench.only().containerId, undefined);
    assert.ok(bench.only().attributes['process.linux.cgroup']?.endsWith(`:${service.path}`));
    container.write('cgroup.procs', String(program.pid));
    assert.equal(bench.only().containerId, CONTAINER);
    assert.equal(bench.only().attributes['container.id'], CONTAINER);
    await program.stop();
    await bench.pass();
    const [ended] = bench.targets.current();
    assert.deepEqual([ended?.state, ended?.containerId], ['ended', CONTAINER]);
  });

  it('has the functions of its libc probed, where nm says that they are', async (context) => {
    const { pid } = await start(context);
    const bench = await new Bench(context, { targets: [{ pid }] }).pass();
    const target = bench.only();
    assert.equal(target.state, 'followed');
    assert.deepEqual(target.allocators, ['glibc']);
    assert.equal(target.reason, undefined);
    assert.equal(target.executable, dynamic.path);
    assert.equal(target.attributes['process.pid'], pid);
    assert.deepEqual([...bench.conditions], []);
    const [link, ...others] = bench.watch.linksOf(pid);
    assert.deepEqual(others, []);
    const libc = target.map?.modules.find(({ path }) => /libc\.so/.test(path))?.path ?? '';
    assert.equal(link?.inode, inodeOf(libc));
    const known = addresses(libc);
    const symbols = bench.watch.symbolsOf(pid);
    for (const symbol of [
      'malloc',
      'calloc',
      'realloc',
      'free',
      'posix_memalign',
      'reallocarray',
    ]) {
      assert.ok(symbols.includes(symbol), symbol);
    }
    for (const { symbol, entry, offset } of casesOf('a probed site', link?.file.sites ?? [])) {
      assert.equal(entry, known.get(symbol), symbol);
      assert.ok(offset >= entry && offset < entry + 64, symbol);
    }
  });

  it('is let go when it exits, and its absence is said', async (context) => {
    const program = await start(context);
    const bench = await new Bench(context, { targets: [{ pid: program.pid }] }).pass();
    await program.stop();
    await bench.pass();
    assert.deepEqual(bench.pids, []);
    assert.equal(bench.watch.links.size, 0);
    // What was recorded of it is there until somebody has read it.
    assert.equal(bench.targets.current()[0]?.state, 'ended');
    assert.deepEqual(bench.watch.log, [`follow ${program.pid}`]);
    bench.targets.settle();
    assert.deepEqual(bench.targets.current(), []);
    assert.deepEqual(bench.watch.log, [`follow ${program.pid}`, `forget ${program.pid}`]);
    assert.match(bench.conditions.get('absent') ?? '', new RegExp(`no process ${program.pid}`));
  });

  it('is let go at once when the kernel tells of the exit', async (context) => {
    const { pid } = await start(context);
    const bench = await new Bench(context, { targets: [{ pid }] }).pass();
    const { process } = bench.only();
    bench.watch.pending = [{ kind: 'exit', process, time: 0 }];
    bench.targets.refresh();
    assert.deepEqual(bench.pids, []);
  });

  it('is told from the one that had the pid before', async (context) => {
    const first = await start(context);
    const bench = await new Bench(context, { targets: [{ pid: first.pid }] }).pass();
    const before = bench.only().process;
    await first.stop();
    const second = await startAs(context, first.pid);
    if (!second) return;
    await bench.pass();
    const now = bench.only().process;
    assert.equal(now.pid, before.pid);
    assert.notEqual(now.startTime, before.startTime);
    assert.equal(bench.watch.linksOf(now.pid).length, 1);
    assert.deepEqual(bench.watch.followed.get(now.pid)?.process, now);
  });

  it('that executes another program is probed anew', async (context) => {
    const program = await start(context);
    const { pid } = program;
    const bench = await new Bench(context, { targets: [{ pid }] }).pass();
    const other = staticGlibc.missing === undefined ? staticGlibc.path : dynamic.path;
    const before = bench.only();
    assert.equal(await program.ask(`exec ${other}`), 'becoming');
    await program.expect('ready');
    await bench.pass();
    const now = bench.only();
    assert.equal(now.executable, other);
    assert.deepEqual(now.process, before.process);
    assert.equal(bench.watch.linksOf(pid)[0]?.inode, inodeOf(other));
    assert.deepEqual(bench.watch.log, [`follow ${pid}`, `forget ${pid}`, `follow ${pid}`]);
  });

  it('is probed anew when the kernel tells of it, once', async (context) => {
    const { pid } = await start(context);
    const bench = await new Bench(context, { targets: [{ pid }] }).pass(2);
    const { process: id } = bench.only();
    const time = Number(process.hrtime.bigint());
    bench.watch.pending = [{ kind: 'exec', process: id, time }];
    await bench.pass(3);
    assert.deepEqual(bench.watch.log, [`follow ${pid}`, `forget ${pid}`, `follow ${pid}`]);
    // It was attached later than that: nothing of the old program is left.
    bench.watch.pending = [{ kind: 'exec', process: id, time }];
    await bench.pass(3);
    assert.equal(bench.watch.log.length, 3);
  });
});

describe('many', { skip }, () => {
  const named = (name: string) => {
    const path = join(dir, name);
    copyFileSync(staticGlibc.path, path);
    return path;
  };

  it('are followed by name, those that start later too, up to the bound', async (context) => {
    const path = named('herd');
    const bench = new Bench(context, { targets: [{ executable: 'her?' }], max_targets: 3 });
    const first = await start(context, path);
    await bench.pass();
    assert.deepEqual(bench.pids, [first.pid]);
    for (let n = 0; n < 4; n++) await start(context, path);
    await bench.pass();
    assert.equal(bench.pids.length, 3);
    assert.ok(bench.pids.includes(first.pid));
    assert.match(bench.conditions.get('max_targets') ?? '', /^2 more processes match/);
    await first.stop();
    await bench.pass(2);
    assert.equal(bench.pids.length, 3);
    assert.match(bench.conditions.get('max_targets') ?? '', /^1 more/);
  });

  it('read a file once, whoever maps it', async (context) => {
    const path = named('same');
    const bench = new Bench(context, { targets: [{ executable: 'same' }] });
    for (let n = 0; n < 5; n++) await start(context, path);
    await bench.pass();
    assert.equal(bench.watch.followed.size, 5);
    assert.equal(bench.targets.filesRead, 1);
  });

  it('children are followed if asked, and begin with what their parent has if asked', async (context) => {
    const parents = [await start(context), await start(context), await start(context)];
    const [alone, family, heirs] = parents.map(({ pid }) => pid);
    const bench = await new Bench(context, {
      targets: [
        { pid: alone ?? 0 },
        { pid: family ?? 0, children: true },
        { pid: heirs ?? 0, children: true, inherit: true },
      ],
    }).pass();
    const children: number[] = [];
    for (const parent of parents) children.push(Number(await parent.ask('fork')));
    context.after(() => killAll(children));
    await bench.pass(2);
    const [, second = 0, third = 0] = children;
    assert.deepEqual([...bench.pids].sort(), [alone, family, heirs, second, third].sort());
    assert.deepEqual([...bench.watch.inherited.keys()], [third]);
    assert.equal(bench.watch.inherited.get(third)?.pid, heirs);
  });

  it('a storm of short processes leaves nothing behind', async (context) => {
    const path = named('storm');
    const bench = new Bench(context, { targets: [{ executable: 'storm' }], max_targets: 32 });
    const storm = spawn('sh', [
      '-c',
      `n=0; while [ $n -lt 1000 ]; do '${path}' </dev/null >/dev/null; n=$((n+1)); done`,
    ]);
    const ended = new Promise((resolve) => storm.once('close', resolve));
    context.after(() => storm.kill('SIGKILL'));
    let over = false;
    void ended.then(() => {
      over = true;
    });
    let longest = 0;
    while (!over) {
      const began = performance.now();
      await bench.pass();
      longest = Math.max(longest, performance.now() - began);
      await setImmediate();
    }
    await bench.pass(2);
    assert.deepEqual(bench.pids, []);
    assert.equal(bench.watch.links.size, 0);
    bench.targets.settle();
    assert.equal(bench.watch.followed.size, 0);
    assert.deepEqual([...bench.conditions], []);
    context.diagnostic(`the longest refresh took ${longest.toFixed(1)} ms`);
  });
});

/** Makes the next process get this pid; undefined, and the test skipped, where it does not work. */
async function startAs(context: TestContext, pid: number): Promise<Program | undefined> {
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
    } catch {
      context.skip('pids cannot be chosen here (kernel.ns_last_pid)');
      return undefined;
    }
    const program = await start(context);
    if (program.pid === pid) return program;
    await program.stop();
  }
  context.skip('other processes took the pid, twenty times');
  return undefined;
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) process.kill(pid, 'SIGKILL');
}
