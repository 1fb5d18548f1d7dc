import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Frame } from '../../core/symbolize/frame.js';
import type { ProcessMap, Symbolizer } from '../../core/symbolize/symbolizer.js';
import type { Reading } from './model.js';
import { Naming } from './naming.js';

const map = (pid: number): ProcessMap => ({
  pid,
  modules: [],
  cut: false,
  startTicks: 1,
  innerPid: pid,
  user: 0,
  find: () => undefined,
});

const reading = (key: string, frames: readonly bigint[], kernel = false): Reading => ({
  source: kernel ? { kind: 'kernel' } : { kind: 'process', pid: 7, startTime: 1 },
  key,
  frames,
  depth: 'end',
  bytes: 8,
  allocations: 1,
  bytesError: 0,
  allocatedBytes: 8,
  allocatedCount: 1,
  freedBytes: 0,
  freedCount: 0,
  firstSeen: 0,
});

/** Knows even addresses only, and counts what it is asked for. */
function symbolizer() {
  const asked: bigint[][] = [];
  const fake: Symbolizer = {
    readMap: map,
    symbolize: async (_, addresses) => {
      asked.push([...addresses]);
      return new Map(
        addresses.map((address): [bigint, readonly Frame[]] => [
          address,
          address % 2n === 0n
            ? [
                { address, inlined: true, function: `inline_${address}` },
                { address, inlined: false, function: `f${address}` },
              ]
            : [{ address, inlined: false, lack: 'odd' }],
        ]),
      );
    },
    statistics: { cached: 0, unresolved: 0, restarts: 0 },
    close: () => undefined,
  };
  return { fake, asked };
}

describe('names of stacks', () => {
  it('are addresses until somebody asked, then names with what is inlined', async () => {
    const { fake } = symbolizer();
    const naming = new Naming(fake, undefined);
    const one = reading('a', [2n, 4n]);
    assert.deepEqual(
      naming.frames(one).map(({ address, function: name }) => [address, name]),
      [
        [2n, undefined],
        [4n, undefined],
      ],
    );
    await naming.name([{ reading: one, map: map(7) }], 1000);
    assert.deepEqual(
      naming.frames(one).map(({ function: name }) => name),
      ['inline_2', 'f2', 'inline_4', 'f4'],
    );
  });

  it('are asked for once, each address once, in one go a process', async () => {
    const { fake, asked } = symbolizer();
    const naming = new Naming(fake, undefined);
    const of = map(7);
    const stacks = [reading('a', [2n, 4n]), reading('b', [6n, 4n])];
    await naming.name(
      stacks.map((one) => ({ reading: one, map: of })),
      1000,
    );
    await naming.name(
      stacks.map((one) => ({ reading: one, map: of })),
      1000,
    );
    assert.deepEqual(asked, [[2n, 4n, 6n]]);
  });

  it('that did not come are asked for again, but not for ever', async () => {
    const { fake, asked } = symbolizer();
    const naming = new Naming(fake, undefined);
    const one = reading('a', [2n, 3n]);
    const of = map(7);
    for (let n = 0; n < 50; n++) await naming.name([{ reading: one, map: of }], 1000);
    assert.equal(asked.length, 5);
    assert.equal(naming.frames(one).at(-1)?.lack, 'odd');
  });

  it('of the kernel come from the kernel’s own', async () => {
    const { fake, asked } = symbolizer();
    const naming = new Naming(fake, {
      frames: async (addresses) =>
        addresses.map((address) => ({ address, inlined: false, function: 'do_pipe2' })),
    });
    const one = reading('k', [0xffff_ffff_8000_0000n], true);
    await naming.name([{ reading: one }], 1000);
    assert.equal(naming.frames(one)[0]?.function, 'do_pipe2');
    assert.deepEqual(asked, []);
  });
});
