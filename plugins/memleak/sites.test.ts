import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MappedModule, ProcessMap } from '../../core/symbolize/symbolizer.js';
import type { Reading } from './model.js';
import { Sites } from './sites.js';

const module = (start: bigint, path: string): MappedModule => ({
  start,
  end: start + 0x1000n,
  fileOffset: 0n,
  path,
  deleted: false,
  device: '8:1',
  inode: path === '' ? 0 : 7,
});

function mapOf(...modules: MappedModule[]): ProcessMap {
  const find = (address: bigint) =>
    modules.find(({ start, end }) => address >= start && address < end);
  return { pid: 7, modules, cut: false, startTicks: 1, innerPid: 7, user: 0, find };
}

const NATIVE = module(0x1000n, '/usr/bin/node');
const COMPILED = module(0x9000n, '');
const WITH_COMPILER = { map: mapOf(NATIVE, COMPILED), interpreters: [] };

const reading = (key: string, frames: readonly bigint[], held: number, freed = 0): Reading => ({
  source: { kind: 'process', pid: 7, startTime: 1 },
  key,
  frames,
  depth: 'end',
  bytes: held * 10,
  allocations: held,
  bytesError: 3,
  allocatedBytes: (held + freed) * 10,
  allocatedCount: held + freed,
  freedBytes: freed * 10,
  freedCount: freed,
  firstSeen: Number(key),
});

describe('sites', () => {
  it('are one where only code differs that was made at run time', () => {
    const sites = new Sites();
    const all = sites.take(
      [reading('1', [0x1001n, 0x9001n], 3), reading('2', [0x1001n, 0x9777n, 0x1500n], 5, 2)],
      WITH_COMPILER,
    );
    assert.equal(all.length, 1);
    const [site] = all;
    assert.deepEqual(
      [site?.bytes, site?.allocations, site?.allocatedCount, site?.freedCount, site?.firstSeen],
      [80, 8, 10, 2, 1],
    );
    assert.equal(site?.bytesError, Math.sqrt(18));
    assert.deepEqual(site?.frames, [0x1001n, 0x9777n, 0x1500n], 'of the one that holds the most');
    assert.equal(site?.site?.frames, 1);
  });

  it('are each their own where native frames differ, and where there is no such code', () => {
    const apart = [reading('1', [0x1001n, 0x9001n], 3), reading('2', [0x1002n, 0x9001n], 5)];
    assert.equal(new Sites().take(apart, WITH_COMPILER).length, 2);
    const plain = [reading('1', [0x1001n, 0x1005n], 3), reading('2', [0x1001n, 0x1006n], 5)];
    const map = { map: mapOf(NATIVE), interpreters: [] };
    assert.deepEqual(new Sites().take(plain, map), plain);
    assert.deepEqual(new Sites().take(plain, { interpreters: [] }), plain);
  });

  it('count what an interpreter runs by as such code', () => {
    const interpreters = [{ start: 0x1800n, end: 0x1900n }];
    const readings = [
      reading('1', [0x1001n, 0x1801n, 0x1005n], 1),
      reading('2', [0x1001n, 0x9001n], 1),
      reading('3', [0x1001n, 0x1899n], 1),
    ];
    assert.equal(new Sites().take(readings, { ...WITH_COMPILER, interpreters }).length, 1);
  });

  it('keep what was counted of stacks that came and went', () => {
    const sites = new Sites();
    const take = (...readings: Reading[]) => sites.take(readings, WITH_COMPILER)[0];
    take(reading('1', [0x1001n, 0x9001n], 3));
    const both = take(reading('1', [0x1001n, 0x9001n], 0, 3), reading('2', [0x1001n, 0x9002n], 1));
    assert.deepEqual([both?.allocations, both?.allocatedCount, both?.freedCount], [1, 4, 3]);
    // The first says once that it holds nothing, and then is silent.
    const later = take(reading('2', [0x1001n, 0x9002n], 1));
    assert.deepEqual([later?.allocations, later?.allocatedCount, later?.freedCount], [1, 4, 3]);
    assert.equal(later?.key, both?.key);
    assert.equal(take(), undefined);
    const again = take(reading('5', [0x1001n, 0x9003n], 2));
    assert.deepEqual([again?.allocations, again?.allocatedCount], [2, 6 - 1]);
  });

  it('have one name for code that is mapped no more, wherever it was', () => {
    const map = { map: mapOf(NATIVE), interpreters: [] };
    const readings = [reading('1', [0x70001n, 0x1005n], 1), reading('2', [0x80001n, 0x1005n], 1)];
    const all = new Sites().take(readings, map);
    assert.equal(all.length, 1);
    assert.equal(all[0]?.site?.frames, 2);
  });
});
