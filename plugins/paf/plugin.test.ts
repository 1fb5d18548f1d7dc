import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pageSize } from '../../core/identity/host.js';
import { PointBatchBuilder } from '../../core/telemetry/points.js';
import { fake, layoutOf, PID, who } from './fake.js';
import { SPARE } from './folds.js';
import { metadata } from './metadata.js';
import { report } from './report.js';

const GFP_KERNEL = 0xcc0;
const ACCOUNT = 0x40_0000;
const NOWARN = 0x2000;
/** PF_MEMALLOC_NOFS */
const NOFS = 0x4_0000;
/** enum paf_known */
const MEMCG = 16;

const now = () => process.hrtime.bigint();
const key = { gfp: GFP_KERNEL | ACCOUNT, order: 2, migrate_type: 1 };

/** A fold as the kernel leaves it after so many failures. */
const failed = (count: number, values = {}) => ({
  count,
  first: now(),
  last: now(),
  key,
  who: who(),
  generation: 2,
  frames: 2,
  stack: [0xffff_ffff_8100_0000n, 0xffff_ffff_8200_0000n],
  ...values,
});

const zone = (name: string, index: number, values = {}) => ({
  state: { name, present: 1000, managed: 900, free: 500, watermark_min: 10, watermark_low: 12 },
  index,
  zones: 3,
  orders: 11,
  blocks: [3, 2, 1],
  ...values,
});

const seen = (values = {}) => ({
  time: now(),
  slot: SPARE,
  generation: 2,
  known: MEMCG,
  ...key,
  highest_zone: 2,
  priority: 120,
  who: who(),
  memcg: { counter: 1, cgroup: 9, charged: 9, usage: 100, limit: 100 },
  zone_count: 2,
  zones: [zone('DMA', 0, { reserve: [0, 0, 40] }), zone('Normal', 2)],
  ...values,
});

/** The metrics of the next collection, by name: value and attributes of each point. */
function points(plugin: ReturnType<typeof fake>['plugin']) {
  const builder = new PointBatchBuilder(metadata);
  report(plugin.collect(), builder);
  const { metrics } = builder.build(0, 0);
  return new Map(metrics.map(({ name, scalars }) => [name, scalars]));
}

/** Names of stacks are waited for in another turn. */
const eventsOf = async ({ events }: ReturnType<typeof fake>, count = 1) => {
  while (events.length < count) await new Promise((resolve) => setImmediate(resolve));
  return events;
};

describe('paf', () => {
  it('tells the object what it is to do, and closes it with its scope', async () => {
    const config = { window: '2s', capacity: 99, stack_depth: 8, names: ['postgres'] };
    const { object, scope, start } = fake({ config });
    start();
    assert.equal(object.constants.get('window_ns'), 2e9);
    assert.equal(object.constants.get('stack_depth'), 8);
    assert.equal(object.constants.get('by_process'), true);
    assert.equal(object.constants.get('gfp_account'), ACCOUNT);
    assert.equal(object.map('folds').spec.maxEntries, SPARE + 99);
    assert.equal(object.map('free_slots').records.length, 99);
    await scope.close();
    assert.ok(object.closed);
    assert.equal(object.map('folds').open + object.map('details').open, 0);
  });

  it('refuses to collect before it has started', () => {
    assert.throws(() => fake().plugin.collect(), /before it started/);
  });

  it('counts by order, migrate type and reason, and tells of them in one event', async () => {
    const paf = fake();
    paf.start();
    paf.fold(SPARE, failed(5, { others: 2 }));
    paf.detail(seen());
    const failures = points(paf.plugin).get('memwatcher.page_allocation.failures');
    assert.deepEqual(failures, [
      {
        value: 5,
        attributes: {
          'memwatcher.page_allocation.order': 2,
          'memwatcher.page_allocation.migrate_type': 'movable',
          'memwatcher.page_allocation.reason': 'memcg_limit',
        },
      },
    ]);
    const [event] = await eventsOf(paf);
    const { attributes } = event ?? {};
    assert.equal(attributes?.['memwatcher.page_allocation.failure.count'], 5);
    assert.equal(attributes?.['memwatcher.page_allocation.failure.other_processes'], 2);
    assert.equal(attributes?.['memwatcher.page_allocation.gfp_flags'], 'GFP_KERNEL_ACCOUNT');
    assert.equal(attributes?.['process.pid'], PID);
    assert.deepEqual(attributes?.['memwatcher.page_allocation.zones'], ['DMA', 'Normal']);
    assert.deepEqual(attributes?.['memwatcher.page_allocation.zones.kept'], [40, 0]);
    assert.deepEqual(
      attributes?.['memwatcher.page_allocation.free_blocks'],
      [3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    assert.match(
      event?.body ?? '',
      /^5 page allocations of postgres \(1073741824\) failed, order 2/,
    );
    assert.ok(Math.abs((event?.time ?? 0) - Date.now()) < 60_000);
  });

  it('never counts a failure twice', () => {
    const paf = fake();
    paf.start();
    const total = () => paf.plugin.collect().failures.reduce((sum, { count }) => sum + count, 0);
    paf.fold(SPARE, failed(5));
    assert.equal(total(), 5);
    assert.equal(total(), 5);
    paf.fold(SPARE, { count: 8 });
    assert.equal(total(), 8);
    // The slot is another fold's now, and goes on counting from where it stands.
    paf.fold(SPARE, failed(9, { generation: 4 }));
    assert.equal(total(), 9);
  });

  it('says what the caller asked for, unless the task’s scope may have changed it', async () => {
    const paf = fake();
    paf.start();
    paf.fold(SPARE, failed(1));
    paf.detail(seen());
    paf.fold(SPARE + 1, failed(1));
    paf.detail(seen({ slot: SPARE + 1, task_flags: NOFS }));
    paf.plugin.collect();
    const [plain, scoped] = await eventsOf(paf, 2);
    const requested = 'memwatcher.page_allocation.requested.gfp_flags';
    assert.equal(plain?.attributes[requested], 'GFP_KERNEL_ACCOUNT');
    assert.ok(!(requested in (scoped?.attributes ?? {})));
    assert.deepEqual(scoped?.attributes['memwatcher.page_allocation.scopes'], ['nofs']);
  });

  it('tells of failures whose figures were lost, without them, and says so', async () => {
    const paf = fake();
    paf.start();
    paf.fold(SPARE, failed(3));
    paf.lose({ ring_drops: 1 });
    assert.equal(paf.plugin.collect().failures[0]?.reason, 'unknown');
    assert.match(paf.health.current.reason ?? '', /^1 records found their ring buffer full/);
    const [event] = await eventsOf(paf);
    assert.equal(event?.attributes['process.executable.name'], 'postgres');
    assert.match(event?.attributes['code.stacktrace'] ?? '', /\n/);
    assert.ok(!('memwatcher.page_allocation.node' in (event?.attributes ?? {})));
    paf.plugin.collect();
    assert.equal(paf.health.current.state, 'ok');
  });

  it('counts what found no fold of its own by order and migrate type', async () => {
    const paf = fake();
    paf.start();
    paf.fold(3 * 8 + 2, { count: 4, first: now(), last: now() });
    paf.lose({ map_full: 4 });
    const { failures, totals } = paf.plugin.collect();
    assert.deepEqual(failures, [
      { order: 3, migrateType: 'reclaimable', reason: 'unknown', count: 4 },
    ]);
    assert.equal(totals.overflowed, 4);
    assert.match(paf.health.current.reason ?? '', /^4 failures are beyond .*capacity \(1024\)/);
    const [event] = await eventsOf(paf);
    assert.ok(!('process.pid' in (event?.attributes ?? {})));
  });

  it('counts records that it cannot decode, and goes on', () => {
    const paf = fake();
    paf.start();
    paf.object.map('details').records.push(new Uint8Array(17));
    paf.fold(SPARE, failed(1));
    assert.equal(paf.plugin.collect().failures[0]?.count, 1);
    assert.equal(paf.health.decodeErrorCount, 1);
  });

  it('sees only what the filters let pass', async () => {
    const paf = fake({ config: { pids: [PID + 1] } });
    paf.start();
    paf.fold(SPARE, failed(5));
    paf.fold(SPARE + 1, failed(2, { who: who({ pid: PID + 1, tid: PID + 1 }) }));
    assert.equal(paf.plugin.collect().failures[0]?.count, 2);
    assert.equal((await eventsOf(paf)).length, 1);
  });

  it('does not count what may be anybody’s where it is to see one process', () => {
    const paf = fake({ config: { pids: [PID] } });
    paf.start();
    paf.fold(25, { count: 9, first: now(), last: now() });
    const { failures, totals } = paf.plugin.collect();
    assert.deepEqual(failures, []);
    assert.equal(totals.overflowed, 9);
  });

  it('does not ask for the cgroup of what the filters leave out', () => {
    const paf = fake({ config: { pids: [PID + 1] } });
    paf.start();
    const other = who({ cgroup: 2 ** 40 });
    paf.fold(SPARE, failed(1, { who: other }));
    paf.detail(seen({ who: other }));
    paf.plugin.collect();
    assert.equal(paf.health.current.reason, undefined);
  });

  it('keeps names as the process chose them', async () => {
    const paf = fake();
    paf.start();
    const comm = 'a\u001b[2J\nb';
    paf.fold(SPARE, failed(1, { who: who({ comm, executable: comm }) }));
    paf.plugin.collect();
    const [event] = await eventsOf(paf);
    assert.equal(event?.attributes['process.executable.name'], comm);
  });

  it('tells of what failed since the last look when it is closed', async () => {
    const paf = fake();
    paf.start();
    paf.fold(SPARE, failed(1));
    await paf.scope.close();
    assert.equal((await eventsOf(paf)).length, 1);
  });

  it('has told of all when it is closed: also of what waited for its window, or for names', async () => {
    const paf = fake({ config: { window: '1h' } });
    paf.start();
    paf.fold(SPARE, failed(1));
    paf.plugin.collect();
    paf.fold(SPARE, failed(6));
    paf.plugin.collect();
    // The names are being read by now.
    await new Promise((resolve) => setTimeout(resolve));
    await paf.scope.close();
    const counts = paf.events.map(
      ({ attributes }) => attributes['memwatcher.page_allocation.failure.count'],
    );
    assert.deepEqual(counts.toSorted(), [1, 5]);
  });

  it('reads zones only if their metrics are its own', () => {
    let surveys = 0;
    const quiet = fake({ onSurvey: () => ++surveys });
    quiet.start();
    assert.equal(quiet.plugin.collect().zones, undefined);
    assert.equal(surveys, 0);
    const { size } = layoutOf('paf_node');
    const paf = fake({
      isOn: () => true,
      onSurvey: (object) => {
        const node = new DataView(object.map('nodes').bytes.buffer, 0, size);
        node.setBigUint64(0, 1n, true);
        node.setUint8(8, 'N'.charCodeAt(0));
        node.setBigUint64(24, 1000n, true);
        return 1;
      },
    });
    paf.start();
    const [node] = paf.plugin.collect().zones ?? [];
    assert.deepEqual(
      node?.zones.map(({ name, present }) => [name, present]),
      [['N', 1000 * pageSize()]],
    );
  });

  it('counts failures where no zone can be found, and says so', () => {
    const paf = fake({ isOn: () => true, onSurvey: () => 0 });
    paf.start();
    paf.fold(SPARE, failed(1));
    const { failures, zones } = paf.plugin.collect();
    assert.deepEqual([failures.length, zones], [1, undefined]);
    assert.match(paf.health.current.reason ?? '', /^zones cannot be read: no NUMA node/);
  });

  it('has no figures of a collection that could not read, and loses none by it', () => {
    const paf = fake();
    paf.start();
    const read = paf.object.programInfo.bind(paf.object);
    paf.object.programInfo = () => {
      throw new Error('the program is gone');
    };
    paf.fold(SPARE, failed(3));
    assert.throws(() => points(paf.plugin), /the program is gone/);
    paf.object.programInfo = read;
    const [failures] = points(paf.plugin).get('memwatcher.page_allocation.failures') ?? [];
    assert.equal(failures?.value, 3);
  });

  it('warns, unless the caller says that it can do without', async () => {
    const paf = fake();
    paf.start();
    paf.fold(SPARE, failed(1));
    paf.fold(SPARE + 1, failed(1, { key: { ...key, gfp: GFP_KERNEL | NOWARN } }));
    paf.plugin.collect();
    const severities = (await eventsOf(paf, 2)).map(({ severity }) => severity);
    assert.deepEqual(severities, ['WARN', 'INFO']);
  });

  it('shows attempts if asked to, and how many were kept back', () => {
    const quiet = fake();
    quiet.start();
    assert.equal(quiet.plugin.collect().attempts, undefined);
    const paf = fake({ config: { attempts: true } });
    paf.start();
    const state = { name: 'Normal', present: 9, watermark_min: 1, watermark_boost: 2, free: -3 };
    paf.attempt({ time: now(), gfp: GFP_KERNEL, known: 64, failed: 1, who: who(), zone: state });
    paf.attempt({ time: now(), gfp: GFP_KERNEL, known: 2, who: who(), zone: state });
    const { attempts } = paf.plugin.collect();
    assert.deepEqual(
      attempts?.map(({ failed: refused, flags, zone: { min, free } }) => {
        return [refused, flags, min, free];
      }),
      [
        [true, 'GFP_KERNEL', 3, 0],
        [undefined, 'GFP_KERNEL', 3, 0],
      ],
    );
  });
});
