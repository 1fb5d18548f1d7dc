/**
 * A watch ends no target: functions of an allocator are left by exceptions, jumps, the end of a thread and
 * failures, as unwatched, and what is allocated after it is seen.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { Scope } from '../../../core/scope.js';
import { missing, openIn, strategies } from '../user/live-watched.js';
import type { UserWatcher } from '../user/watcher.js';
import { compile, Program, preloaded, workshop } from './testing/program.js';
import { Seen } from './testing/seen.js';

const dir = workshop();
const exits = compile(dir, 'exits', 'exits.cc', { compiler: 'g++', flags: ['-pthread'] });
const skip = missing ?? exits.missing ?? false;

const BY_RESULT = ['nothrow', 'malloc', 'calloc', 'realloc', 'memalign'];
const WAYS = [
  ...['new', 'array', 'aligned', 'handler', 'jump', 'exit', 'cancel', 'limit', 'fork'],
  ...BY_RESULT,
];
const ALLOCATORS = {
  glibc: { ways: WAYS, env: {}, missing: undefined },
  jemalloc: { ways: WAYS, ...preloaded('libjemalloc.so.2') },
  tcmalloc: { ways: WAYS, ...preloaded('libtcmalloc_minimal.so.4') },
  // Being C, it ends a program whose operator new finds no memory.
  mimalloc: { ways: BY_RESULT, ...preloaded('libmimalloc.so.2') },
};
/** The kernel detaches perf events one after another, a tenth of a second each. */
const SLOW = /perf/;

async function start(context: TestContext, env: Readonly<Record<string, string>>) {
  const program = await Program.start(exits.path, { env });
  context.after(() => program.stop());
  return program;
}

for (const strategy of strategies) {
  describe(`who leaves by other ways lives on, by ${strategy}`, { skip, timeout: 120_000 }, () => {
    const scope = new Scope();
    let watch: UserWatcher;
    before(() => {
      watch = openIn(scope, strategy, { maxTargets: 64 });
    });
    after(() => scope.close());

    for (const [name, { ways, env, missing: lack }] of Object.entries(ALLOCATORS)) {
      if (SLOW.test(strategy) && name !== 'glibc') continue;
      it(name, { skip: lack ?? false }, async (context) => {
        const unwatched = await start(context, env);
        const program = await start(context, env);
        const seen = await new Seen(watch, program).look();
        for (const [n, way] of ways.entries()) {
          const expected = await unwatched.ask(`leave ${way}`);
          assert.equal(await program.ask(`leave ${way}`), expected, way);
          const size = 4001 + n;
          await program.ask(`keep 20 ${size}`);
          assert.equal(seen.outstanding(size).count, 20, `${way}: ${seen.target.reason}`);
        }
        await seen.close();
        assert.equal(await program.ask('leave malloc'), 'null');
      });
    }
  });
}
