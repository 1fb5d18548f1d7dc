/** Damaged BTF: every question is answered, or refused in words; nothing hangs or breaks. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { MemWatcherError } from '../../core/errors.js';
import { Kind } from '../../core/kernel/kernel-btf.js';
import { RunningKernel } from '../../core/kernel/running-kernel.js';
import { BtfWriter } from '../fakes/btf.js';
import { random } from './random.js';

const ROUNDS = 1000;

function sound(): Buffer {
  const writer = new BtfWriter();
  const int = writer.int('int');
  const inner = writer.struct('', 8, [['x', int, 0]], Kind.UNION);
  const outer = writer.struct('outer', 32, [
    ['', inner, 0],
    ['list', writer.array(int, 4), 64],
    ['bits', int, 192, 3],
  ]);
  const pointer = writer.pointer(outer);
  const prototype = writer.prototype([writer.pointer(0), pointer, writer.typedef('t', int)]);
  writer.typedef('btf_trace_event', writer.pointer(prototype));
  writer.function('called', [pointer], int);
  writer.enumeration('items', { FIRST: 0, SECOND: 1 });
  writer.enumeration64('wide', { HUGE: 2n ** 40n });
  return writer.build();
}

test('damaged BTF is refused or answered, never more', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-fuzz-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const btfFile = join(folder, 'damaged.btf');
  const original = sound();
  let refused = 0;
  let answered = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const next = random(round + 1);
    const bytes = Buffer.from(original);
    for (let n = next(6); n >= 0; n--) {
      // Small values hit type ids and counts, which a random byte rarely does.
      bytes[next(bytes.length)] = next(2) === 0 ? next(20) : next(256);
    }
    writeFileSync(btfFile, next(10) === 0 ? bytes.subarray(0, next(bytes.length)) : bytes);
    let kernel: RunningKernel;
    try {
      kernel = new RunningKernel({ btfFile });
    } catch (error) {
      assert(error instanceof MemWatcherError, `round ${round}: ${error}`);
      assert.equal(error.code, 'BTF_INVALID');
      refused++;
      continue;
    }
    for (const fact of [
      { btf_type: 'outer' },
      { btf_field: 'outer.x' },
      { btf_field: 'outer.list[3]' },
      { btf_function: 'called' },
      { btf_enumerator: 'items.SECOND' },
      { btf_enumerator: 'HUGE' },
      { tracepoint: 'event', prototype: ['struct outer *', 't'] },
    ]) {
      kernel.check(fact);
    }
    for (const parameter of [{ offset_of: 'outer.bits' }, { size_of: 'outer.list' }]) {
      try {
        kernel.resolve(parameter);
      } catch (error) {
        assert(error instanceof MemWatcherError, `round ${round}: ${error}`);
      }
    }
    answered++;
  }
  assert(refused > ROUNDS / 50 && answered > ROUNDS / 50, `${refused} refused, ${answered} not`);
});
