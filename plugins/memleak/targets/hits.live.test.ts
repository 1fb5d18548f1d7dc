/** Targets and the kernel's side together: what real processes allocate by each allocator is seen. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it, type TestContext } from 'node:test';
import { Scope } from '../../../core/scope.js';
import { missing, openIn, strategies } from '../user/live-watched.js';
import type { UserWatcher } from '../user/watcher.js';
import { compile, Program, preloaded, type StartOptions, workshop } from './testing/program.js';
import { Seen } from './testing/seen.js';

const dir = workshop();
const dynamic = compile(dir, 'allocate', 'allocate.c', { flags: ['-DWITH_DLOPEN', '-ldl'] });
const news = compile(dir, 'news', 'news.cc', { compiler: 'g++', flags: ['-O2'] });
const library = compile(dir, 'libown-malloc.so', 'own-malloc.c', { flags: ['-shared', '-fPIC'] });
const skip = missing ?? dynamic.missing ?? false;

/** The kernel detaches perf events one after another, a tenth of a second each: they are tried on few. */
const SLOW = /perf/;
const FEW: ReadonlySet<string> = new Set(['glibc', 'musl, static']);

async function start(context: TestContext, file: string, options: StartOptions = {}) {
  const program = await Program.start(file, options);
  context.after(() => program.stop());
  return program;
}

for (const strategy of strategies) {
  describe(`by ${strategy}`, { skip, timeout: 120_000 }, () => {
    // Loaded once: each test has a process of its own.
    const scope = new Scope();
    let watch: UserWatcher;
    before(() => {
      watch = openIn(scope, strategy, { maxTargets: 64 });
    });
    after(() => scope.close());

    const kinds = {
      glibc: { path: dynamic.path },
      'glibc, static': compile(dir, 'static-glibc', 'allocate.c', { flags: ['-static'] }),
      'musl, static': compile(dir, 'static-musl', 'allocate.c', {
        compiler: 'musl-gcc',
        flags: ['-static'],
      }),
      jemalloc: { path: dynamic.path, ...preloaded('libjemalloc.so.2') },
      tcmalloc: { path: dynamic.path, ...preloaded('libtcmalloc_minimal.so.4') },
      mimalloc: { path: dynamic.path, ...preloaded('libmimalloc.so.2') },
    };
    for (const [name, made] of Object.entries(kinds)) {
      if (SLOW.test(strategy) && !FEW.has(name)) continue;
      const lack = ('missing' in made && made.missing) || false;
      it(`${name}: each call is counted once`, { skip: lack }, async (context) => {
        const env = 'env' in made ? { env: made.env } : {};
        const program = await start(context, made.path, env);
        const seen = await new Seen(watch, program).look();
        await program.ask('malloc 100 4321');
        assert.equal(seen.outstanding(4321).count, 100, seen.target.reason ?? '');
        assert.equal(seen.moduleOf(seen.outstanding(4321).frames[0] ?? 0n), made.path);
        await program.ask('free 60');
        assert.equal(seen.outstanding(4321).count, 40);
        const took = await seen.close();
        await program.ask('free 10');
        assert.equal(await program.ask('malloc 1 1'), '31');
        context.diagnostic(
          `a refresh took ${seen.longest.toFixed(1)} ms at most, closing ${took.toFixed(1)} ms`,
        );
      });
    }

    const isShareable = /session/.test(strategy);
    it('two that share their links, beside one that is not watched', {
      skip: isShareable ? false : 'links are shared by sessions alone',
    }, async (context) => {
      const [one, two, stranger] = [
        await start(context, dynamic.path),
        await start(context, dynamic.path),
        await start(context, dynamic.path),
      ];
      const seen = await new Seen(watch, one, two).look();
      await one.ask('malloc 50 4321');
      // They have links of their own at first, and go over.
      const before = watch.strangerHits();
      for (let looks = 0; watch.strangerHits() === before; looks++) {
        assert.ok(looks < 10, 'nothing is shared');
        await seen.look();
        await stranger.ask('malloc 10 77');
      }
      await one.ask('malloc 50 4321');
      assert.equal(seen.outstanding(4321).count, 100);
      await one.ask('free 60');
      assert.equal(seen.outstanding(4321).count, 40);
      assert.equal(seen.outstanding(77).count, 0);
      await seen.close();
      const after = watch.strangerHits();
      await stranger.ask('malloc 10 77');
      assert.equal(watch.strangerHits(), after, 'a shared link was left behind');
    });

    const cxx = {
      glibc: {},
      jemalloc: preloaded('libjemalloc.so.2').env,
      tcmalloc: preloaded('libtcmalloc_minimal.so.4').env,
    };
    for (const [name, env] of Object.entries(cxx)) {
      if (SLOW.test(strategy) && !FEW.has(name)) continue;
      const path = 'LD_PRELOAD' in env ? env.LD_PRELOAD : undefined;
      const lack = news.missing ?? (path && !existsSync(path) ? `no ${path}` : false);
      it(`operator new of ${name}: who called it is told, and what throws lives on`, {
        skip: lack,
      }, async (context) => {
        const program = await start(context, news.path, { env });
        const seen = await new Seen(watch, program).look();
        const own = seen.target.reason?.includes('std::bad_alloc') !== true;
        assert.ok(own || strategy !== 'uprobe-session');
        await program.ask('new 50 777');
        if (own) {
          const { count, frames } = seen.outstanding(777);
          assert.equal(count, 50);
          const outside = frames
            .map((frame) => seen.moduleOf(frame))
            .filter((path) => !/libstdc/.test(path ?? ''));
          assert.equal(outside[0], news.path, String(frames.map((frame) => seen.moduleOf(frame))));
        }
        await program.ask('delete 20');
        if (own) assert.equal(seen.outstanding(777).count, 30);
        for (let n = 0; n < 3; n++) assert.equal(await program.ask('huge'), 'caught');
        assert.equal(await program.ask('delete 10'), 'done');
        await seen.close();
        assert.equal(await program.ask('huge'), 'caught');
      });
    }

    it('an allocator that is loaded later', { skip: library.missing ?? false }, async (context) => {
      const program = await start(context, dynamic.path);
      const seen = await new Seen(watch, program).look();
      assert.equal(await program.ask(`dlopen ${library.path}`), 'loaded');
      await seen.look();
      await program.ask('call 33');
      assert.equal(seen.outstanding(64).count, 33);
      await seen.close();
    });

    it('a program that is executed later', async (context) => {
      const program = await start(context, dynamic.path);
      const seen = await new Seen(watch, program).look();
      await program.ask('malloc 10 4321');
      await program.ask(`exec ${dynamic.path}`);
      await program.expect('ready');
      await seen.look();
      assert.equal(seen.outstanding(4321).count, 0);
      await program.ask('malloc 7 4321');
      assert.equal(seen.outstanding(4321).count, 7);
      await seen.close();
    });
  });
}
