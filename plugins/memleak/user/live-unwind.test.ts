/** Stacks of code without frame pointers. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readProcessMap } from '../../../core/symbolize/process-map.js';
import { Allocations, codeOf, startTimeOf, UNFRAMED } from '../../../test/fakes/allocations.js';
import { heldOf, missing, open, readingsOf, sitesOf, strategies } from './live-watched.js';

describe('code without frame pointers', { skip: missing ?? false, timeout: 120_000 }, () => {
  const [strategy = ''] = strategies;
  const NEEDED = { skip: process.arch === 'x64' ? false : 'rows are known of x86-64 only' };

  it('has whole stacks, by what the compiler wrote down', NEEDED, async (t) => {
    const watch = open(t, strategy);
    const program = await Allocations.start(UNFRAMED);
    t.after(() => program.stop());
    const followed = { pid: program.pid, startTime: startTimeOf(program.pid) };
    watch.follow(followed, readProcessMap(program.pid).modules);
    watch.attach(followed, sitesOf(UNFRAMED));
    for (const frames of [0, 7, 30]) await program.ask(`deep ${frames}`);
    await program.ask('churn 3 2000');
    const deep = readingsOf(watch, program.pid)
      .filter(({ frames }) => program.siteOf(frames[0] ?? 0n) === 'deep')
      .map(({ frames, depth }) => ({
        own: frames.filter((frame) => program.siteOf(frame) === 'deep').length,
        length: frames.length,
        depth,
      }))
      .sort((a, b) => a.own - b.own);
    // obey, main, and what of the C library begins the program
    const { length: above = 0 } = deep[0] ?? {};
    assert.ok(above >= 4, `${above}`);
    assert.deepEqual(deep, [
      { own: 1, length: above, depth: 'end' },
      { own: 8, length: above + 7, depth: 'end' },
      { own: 31, length: above + 30, depth: 'end' },
    ]);
    assert.deepEqual(heldOf({ watch, program }), await program.held());
  });

  it('has the direct caller where nothing was written down', async (t) => {
    const watch = open(t, strategy);
    const program = await Allocations.start(UNFRAMED);
    t.after(() => program.stop());
    const followed = { pid: program.pid, startTime: startTimeOf(program.pid) };
    watch.follow(followed, codeOf(program.pid));
    watch.attach(followed, sitesOf(UNFRAMED));
    await program.ask('churn 3 2000');
    await program.ask('leak 100 0');
    assert.deepEqual(heldOf({ watch, program }), await program.held());
  });
});
