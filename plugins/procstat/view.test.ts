import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { metadata } from './metadata.js';
import { sample } from './sample.js';
import type { ProcstatSeries } from './snapshot.js';
import { view } from './view.js';

const MiB = 1024 ** 2;

function series(values: Partial<ProcstatSeries>): ProcstatSeries {
  const process = sample({
    pid: 7,
    comm: 'node',
    executable: 'node',
    anon: 3 * MiB,
    peak: 9 * MiB,
  });
  return {
    attributes: { 'process.pid': 7, 'container.id': 'ab'.repeat(32) },
    members: 1,
    process,
    memory: process,
    activity: process,
    startTime: 0,
    ...values,
  };
}

const others = series({
  attributes: { 'memwatcher.process.other': true },
  members: 1234,
  process: undefined,
});
const snapshot = { series: [series({}), others], processes: 1235 };

describe('view', () => {
  it('has the columns of the original', () => {
    const [table] = view.tables(snapshot, { rows: 20, bytes: false });
    assert.deepEqual(
      table?.columns.map(({ title }) => title),
      'PID VSIZE SIZE RSSANON RSSFILE RSSSHMEM VSWAP VDATA VPTE VSTK COMMAND CONTAINER'.split(' '),
    );
    const cells = ['7', '0 B', '9.0 MiB', '3.0 MiB', '0 B', '0 B', '0 B', '0 B', '0 B', '0 B'];
    assert.deepEqual(table?.rows[0], [...cells, 'node', 'abababababab']);
    assert.equal(table?.rows[1]?.[0], '×1,234');
    assert.equal(table?.rows[1]?.[10], '(others)');
    assert.equal(table?.footer, undefined);
  });

  it('says so when nothing fits the filters', () => {
    const [table] = view.tables({ series: [], processes: 12 }, { rows: 20, bytes: false });
    assert.match(table?.footer ?? '', /^none of the 12 processes/);
  });

  it('says in a digest who is largest, without the others', () => {
    const digest = view.digest?.(snapshot) as { processes: number; largest: object[] };
    assert.equal(digest.processes, snapshot.processes);
    assert.equal(digest.largest.length, 1);
    assert.deepEqual(Object.keys(digest.largest[0] ?? {}).slice(0, 3), [
      'pid',
      'name',
      'container',
    ]);
  });

  it('says what does not fit, and plain bytes where asked', () => {
    const [table] = view.tables(snapshot, { rows: 1, bytes: true });
    assert.equal(table?.rows.length, 1);
    assert.equal(table?.rows[0]?.[2], String(9 * MiB));
    assert.match(table?.footer ?? '', /^1 more/);
  });

  it('names a process by its file, and by its own name where that is another', () => {
    const process = sample({ pid: 7, comm: 'node-MainThread', executable: 'node' });
    const [table] = view.tables(
      { series: [series({ process })], processes: 1 },
      {
        rows: 5,
        bytes: false,
      },
    );
    assert.equal(table?.rows[0]?.[10], 'node (node-MainThread)');
  });

  it('shows the largest in the overview, without the others', () => {
    const [table] = view.overview(snapshot, { rows: 20, bytes: false });
    assert.equal(table?.rows.length, 1);
    assert.match(table?.title ?? '', /1,235/);
  });

  const given = (flag: string, value: unknown) => {
    const option = view.options.find(({ flags }) => flags.startsWith(`--${flag} `));
    return option?.config(value);
  };

  it('turns options into configuration', () => {
    assert.deepEqual(given('pid', ['1', '2,3']), { pids: [1, 2, 3] });
    assert.deepEqual(given('name', ['a,b*']), { names: ['a,b*'] });
    assert.deepEqual(given('sort', 'VSWAP'), { sort: 'swap' });
    assert.deepEqual(given('sort', 'size'), { sort: 'peak' });
    assert.deepEqual(given('top', '0'), { top: 0 });
    for (const flag of ['sort', 'by', 'user', 'cgroup', 'container']) {
      const key = Object.keys(given(flag, 'x') ?? {})[0] ?? '';
      assert.ok(key in metadata.config.shape, `${flag} sets ${key}`);
    }
  });

  it('refuses what is no number', () => {
    for (const bad of ['x', '-1', '1.5', '']) {
      assert.throws(() => given('pid', [bad]), /whole number/);
    }
    assert.throws(() => given('pid', ['0']), /from 1 up/);
  });
});
