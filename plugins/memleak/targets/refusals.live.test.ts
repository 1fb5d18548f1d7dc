/** Real processes that cannot be followed, or not yet: each says why. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { liveProc } from './proc.js';
import { compile, compileGo } from './testing/program.js';
import { Bench, dir, skip, start, staticGlibc } from './testing/stage.js';

const narrow = compile(dir, 'narrow', 'narrow.c', { flags: ['-m32', '-nostdlib', '-static'] });
const goProgram = compileGo(dir, 'go-program', 'waiting.go');

describe('what could not be followed', { skip }, () => {
  it('is tried again, for what was in its way may have passed', async (context) => {
    const { pid } = await start(context);
    const bench = new Bench(context, { targets: [{ pid }] });
    bench.watch.refuseToFollow = () => {
      throw new Error('no memory');
    };
    await bench.pass();
    assert.equal(bench.only().state, 'refused');
    assert.match(bench.only().reason ?? '', /cannot be followed: no memory/);
    assert.equal(bench.watch.links.size, 0);
    bench.watch.refuseToFollow = () => undefined;
    await bench.pass(10);
    assert.equal(bench.only().state, 'followed');
    assert.equal(bench.only().reason, undefined);
    assert.deepEqual([...bench.conditions], []);
  });

  it('is not tried again where nothing can change', async (context) => {
    const bench = await new Bench(context, { targets: [{ pid: process.pid }] }).pass();
    const { filesRead } = bench.targets;
    await bench.pass(30);
    assert.equal(bench.only().state, 'refused');
    assert.equal(bench.targets.filesRead, filesRead);
  });

  for (const able of [true, false]) {
    it(`a process with a shadow stack is ${able ? 'followed' : 'let be'} where returns ${able ? 'go with it' : 'would kill it'}`, async (context) => {
      const { pid } = await start(context);
      const text = (one: number, file: string) =>
        liveProc.text(one, file) + (file === 'status' ? 'x86_Thread_features:\twrss shstk \n' : '');
      const bench = new Bench(
        context,
        { targets: [{ pid }] },
        {
          proc: { ...liveProc, text },
          returnsOnShadowStack: () => able,
        },
      );
      const { state, reason = '' } = (await bench.pass()).only();
      assert.equal(state, able ? 'followed' : 'refused');
      if (able) return;
      assert.match(reason, /shadow stack.*6\.11/);
      assert.equal(bench.watch.links.size, 0);
    });
  }
});

describe('what cannot be followed says why', { skip }, () => {
  const reasonOf = async (context: TestContext, pid: number) => {
    const bench = await new Bench(context, { targets: [{ pid }] }).pass(2);
    const { reason = '', allocators } = bench.only();
    assert.deepEqual(allocators, []);
    assert.equal(bench.watch.links.size, 0);
    assert.ok(bench.conditions.get('impaired_targets')?.includes(reason));
    return reason;
  };

  it('this agent', async (context) => {
    assert.match(await reasonOf(context, process.pid), /this agent itself/);
  });

  it('a thread of the kernel', async (context) => {
    const kthreadd = spawnSync('cat', ['/proc/2/comm'], { encoding: 'utf8' }).stdout.trim();
    if (kthreadd !== 'kthreadd') return context.skip('threads of the kernel are not seen here');
    assert.match(await reasonOf(context, 2), /thread of the kernel/);
  });

  it('a Go program', { skip: goProgram.missing ?? false }, async (context) => {
    const { pid } = await start(context, goProgram.path);
    assert.match(
      await reasonOf(context, pid),
      /a Go program without a C library, which a return probe would crash/,
    );
  });

  it('a static program without symbols', async (context) => {
    const path = join(dir, 'stripped');
    spawnSync('strip', ['-s', '-o', path, staticGlibc.path]);
    const { pid } = await start(context, path);
    assert.match(await reasonOf(context, pid), /linked statically and stripped/);
  });

  it('a 32-bit program', { skip: narrow.missing ?? false }, async (context) => {
    const { pid } = await start(context, narrow.path);
    assert.match(await reasonOf(context, pid), /32-bit/);
  });

  it('a thread’s id', async (context) => {
    // Of this very process: the event loop’s helpers.
    const thread = readdirSync('/proc/self/task')
      .map(Number)
      .find((tid) => tid !== process.pid);
    assert.ok(thread);
    const bench = await new Bench(context, { targets: [{ pid: thread }] }).pass();
    assert.deepEqual(bench.pids, []);
    assert.match(
      bench.conditions.get('absent') ?? '',
      new RegExp(`${thread} is a thread of ${process.pid}`),
    );
  });
});
