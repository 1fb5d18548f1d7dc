/** A scan of a real process, which knows what it holds by what. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { References } from '../../../test/fakes/references.js';
import { liveProc, NS_PER_TICK, readStat } from '../targets/proc.js';
import { kernelRootsOf } from './kernel-roots.js';
import { Scanner } from './scanner.js';

const skip = References.missing() ?? false;

const processOf = (pid: number) => ({
  pid,
  startTime: (readStat(liveProc, pid)?.startTicks ?? 0) * NS_PER_TICK,
});

describe('a scan of a process that runs', { skip }, () => {
  test('calls lost what it has lost, and nothing that is held in any way', async (t) => {
    const target = await References.start();
    t.after(() => target.stop());
    const scanner = new Scanner();
    t.after(() => scanner.close());
    const { blocks, pid } = target;
    const roots = await kernelRootsOf(pid);
    const { reached, ...outcome } = await scanner.scan(
      processOf(pid),
      {
        starts: Float64Array.from(blocks, ({ address }) => address),
        sizes: Float64Array.from(blocks, ({ size }) => size),
      },
      roots.addresses,
    );
    const kinds = (isReached: number) => [
      ...new Set(blocks.filter((_, n) => reached[n] === isReached).map(({ kind }) => kind)),
    ];
    assert.deepEqual(kinds(0).toSorted(), ['lost', 'lost-chain', 'lost-cycle']);
    assert.deepEqual(
      kinds(1).filter((kind) => kind.startsWith('lost')),
      [],
    );
    assert.deepEqual(outcome.unread, []);
    assert.deepEqual(roots.untold, []);
  });
});
