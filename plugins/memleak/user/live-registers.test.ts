/** On a running kernel: pointers that are nowhere but in a register. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { References } from '../../../test/fakes/references.js';
import { missing, open, strategies } from './live-watched.js';
import { registersOf } from './registers.js';

describe('the registers of threads', { skip: missing ?? References.missing() ?? false }, () => {
  for (const choice of ['helper', 'stack']) {
    test(`by ${choice}: what is held nowhere else, by threads that run and that wait`, async (t) => {
      const target = await References.start('registers');
      t.after(() => target.stop());
      const watch = open(t, strategies[0] ?? '', { only: { registers: choice } });
      const registers = registersOf(watch.loaded, target.pid);
      if (registers === undefined) return t.skip(watch.loaded.lacks.join('; '));
      const held = target.blocks.filter(({ kind }) => kind.startsWith('register'));
      const words = new Set(registers.words);
      assert.deepEqual(
        held.filter(({ address }) => !words.has(BigInt(address))),
        [],
      );
      // Each of them, and main and the one whose stack holds some.
      assert.deepEqual([registers.threads, registers.unread], [held.length + 2, 0]);
    });
  }
});
