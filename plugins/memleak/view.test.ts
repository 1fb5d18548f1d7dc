import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderTable } from '../../core/cli/table.js';
import type { Table } from '../../core/cli/view.js';
import { fakeSnapshot, fakeTarget, STACKS } from './output/fake.js';
import { view } from './view.js';

const text = (tables: readonly Table[], width: number) =>
  tables.map((table) => renderTable(table, width).join('\n')).join('\n\n');
const all = { rows: 100, bytes: false };

test('what is held against a stack comes first, then its size', () => {
  const [stacks] = view.tables(fakeSnapshot(), all);
  assert.deepEqual(
    stacks?.rows.map(([state, , , bytes]) => `${state} ${bytes}`),
    [
      'confirmed 5.7 MiB',
      'suspected 256 KiB ±29.3 KiB',
      'watching 87.9 KiB',
      'watching 4.0 KiB',
      'watching 1.0 KiB',
      'watching 8 B',
      'resolved 40.0 KiB',
    ],
  );
});

test('on a narrow terminal what matters least goes first, and nothing is too wide', () => {
  const lines = text(view.tables(fakeSnapshot(), all), 60).split('\n');
  assert.ok(lines.every((line) => [...line].length <= 60));
  assert.match(lines[1] ?? '', /^STATE +.*BYTES +.*WHERE$/);
  assert.doesNotMatch(lines[1] ?? '', /PID|STACK/);
});

test('few rows are the worst stacks, and the rest is counted', () => {
  const [stacks, targets] = view.tables(fakeSnapshot(), { rows: 8, bytes: true });
  assert.equal(stacks?.rows.length, 2);
  assert.equal(stacks?.rows[0]?.[3], '6000000');
  assert.equal(stacks?.footer, '5 more stacks; --top');
  assert.equal(targets?.rows.length, 2);
});

test('why a target is not seen whole stands below', () => {
  const snapshot = fakeSnapshot({ targets: [fakeTarget({ reason: 'its allocator is unknown' })] });
  const [, targets] = view.tables(snapshot, all);
  assert.equal(targets?.footer, '2429: its allocator is unknown');
  const [overview] = view.overview(snapshot, all);
  assert.equal(overview?.footer, '1 of them are not seen whole; memleak says why');
});

test('the overview says how it stands in a line and the three worst', () => {
  const [table] = view.overview(fakeSnapshot(), all);
  assert.equal(table?.title, 'Leaks: 1 confirmed, 1 suspected; 6.1 MiB outstanding of 2 watched');
  assert.deepEqual(
    table?.columns.map(({ title }) => title),
    ['STATE', 'CLASS', 'BYTES', 'GROWTH/H', 'WHERE'],
  );
  assert.equal(table?.rows.length, 3);
});

test('the digest is plain data, what nobody knows is absent', () => {
  const digest = JSON.parse(JSON.stringify(view.digest?.(fakeSnapshot()))) as {
    readonly targets: readonly object[];
    readonly stacks: readonly Record<string, unknown>[];
  };
  assert.deepEqual(digest.targets[0], {
    pid: 2429,
    name: 'shop',
    bytes: 6_400_000,
    allocations: 60_000,
  });
  assert.deepEqual(digest.stacks[0], {
    stack_id: STACKS[1]?.id,
    state: 'confirmed',
    class: 'leak',
    confidence: 0.98,
    bytes: 6_000_000,
    allocations: 50_000,
    growth_bytes_per_hour: 360_000_000,
    oldest_age_seconds: 40,
    function: 'shop::Cart::add(shop::Item const&)',
    source: '/src/cart.cc:88',
  });
  assert.ok(!('growth_bytes_per_hour' in (digest.stacks[2] ?? {})));
});

test('options become targets; nonsense is refused', () => {
  const option = (flag: string) =>
    view.options.find(({ flags }) => flags.startsWith(`--${flag}`)) ?? assert.fail(flag);
  assert.deepEqual(option('pid').config(['1,2', '3']), {
    targets: [{ pid: 1 }, { pid: 2 }, { pid: 3 }],
  });
  assert.deepEqual(option('executable').config(['/^a,b$/']), {
    targets: [{ executable: '/^a,b$/' }],
  });
  assert.throws(() => option('pid').config(['shop']), /--pid shop/);
  assert.throws(() => option('top').config('0'), /--top 0/);
});
