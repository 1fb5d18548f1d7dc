import 'reflect-metadata';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { measureBoot } from '../../core/identity/boot-clock.js';
import { bootSecond } from '../../core/identity/boot-moment.js';
import { Scope } from '../../core/scope.js';
import { StatusKeeper } from '../../core/status.js';
import { FakeObject, fakeLoader } from '../../test/fakes/bpf-host.js';
import { metadata } from './metadata.js';
import { ProcstatPlugin } from './plugin.js';
import { layouts, pass, process, thread } from './records.js';

const COUNTS = ['ring_drops', 'map_full', 'read_failures'];
const PER_CPU_ARRAY = 6;

/** The plugin over an object in memory, whose passes the test writes. */
function fake(config: Record<string, unknown> = {}) {
  let rows: Uint8Array = new Uint8Array(0);
  const object = new FakeObject({
    layouts: {
      procstat_process: layouts.process,
      procstat_thread: layouts.thread,
      mw_stats: {
        name: 'mw_stats',
        size: 24,
        fields: COUNTS.map((name, n) => ({
          name,
          offset: 8 * n,
          size: 8,
          type: { kind: 'int', size: 8, signed: false },
        })),
      },
    },
    programs: { collect: { section: 'iter/task', rows: () => rows } },
    maps: [
      { name: 'by_pid', maxEntries: 16_384 },
      { name: 'walked', maxEntries: 1 },
      { name: 'cpus', type: 2, valueSize: 16, maxEntries: 1024 },
      { name: 'stats', type: PER_CPU_ARRAY, valueSize: 24 },
    ],
  });
  const scope = new Scope();
  const health = new StatusKeeper('procstat', () => undefined);
  const loader = fakeLoader(object, 'task-iterator', new Map([['cpu-parts', 'helper']]));
  const plugin = new ProcstatPlugin(scope, metadata.config.parse(config), loader, health);
  const start = (...records: Uint8Array[]) => {
    rows = pass(...records);
    plugin.start();
    health.running();
  };
  const collect = (...records: Uint8Array[]) => {
    rows = pass(...records);
    return plugin.collect();
  };
  /** As two CPUs counted them. */
  const count = (mapFull: bigint, readFailures: bigint) => {
    const counts = new BigUint64Array([0n, mapFull, 0n, 0n, 0n, readFailures]);
    object.map('stats').update(new Uint8Array(4), new Uint8Array(counts.buffer));
  };
  return { object, scope, health, start, collect, count };
}

/** Far above the pids of this machine, so that /proc has nothing to say of it. */
const FIRST = 2 ** 30;
const one = (n: number, values: Parameters<typeof process>[0] = {}) =>
  process({
    pid: FIRST + n,
    start_time: 1_000_000_000 * n,
    executable: `exe-${n % 2}`,
    memory: { counters: [0, 10 * n, 0, 0] },
    activity: { voluntary_switches: 100 * n },
    ...values,
  });

describe('ProcstatPlugin', () => {
  it('tells the object what it cannot know, and closes it with its scope', async () => {
    const { object, scope, start } = fake({ capacity: 99 });
    start();
    assert.ok(Number(object.constants.get('cpu_count')) >= 1);
    assert.equal(object.map('by_pid').spec.maxEntries, 99);
    assert.ok([...object.map('cpus').entries.values()].every((value) => value[0] === 1));
    assert.ok(object.map('cpus').entries.size >= 1);
    await scope.close();
    assert.ok(object.closed);
  });

  it('gives the largest a series each, and the others one', () => {
    const { start, collect } = fake({ top: 2 });
    start();
    const { series, processes } = collect(
      one(1),
      one(2),
      one(3),
      one(4),
      thread({ pid: FIRST + 1 }),
    );
    assert.equal(processes, 4);
    assert.deepEqual(
      series.map(({ attributes }) => attributes['process.pid']),
      [FIRST + 4, FIRST + 3, undefined],
    );
    assert.equal(series[2]?.attributes['memwatcher.process.other'], true);
    assert.equal(series[2]?.members, 2);
    assert.equal(series[2]?.memory.anon, 30 * 4096);
  });

  it('keeps the counters of the others from falling', () => {
    const { start, collect } = fake({ top: 1 });
    start(one(1), one(2), one(9));
    const counted = (snapshot: ReturnType<typeof collect>) =>
      snapshot.series.find(({ members, process }) => members > 0 && !process)?.activity
        .voluntarySwitches;
    assert.equal(counted(collect(one(1), one(2), one(9))), 0);
    const busier = one(1, { activity: { voluntary_switches: 150 } });
    assert.equal(counted(collect(busier, one(2), one(9))), 50);
    assert.equal(counted(collect(busier, one(9))), 50);
  });

  it('makes a new series of a pid that is used again', () => {
    const { start, collect } = fake();
    start();
    const [before] = collect(one(1)).series;
    const [after] = collect(one(1, { start_time: 7_000_000_000 })).series;
    assert.equal(after?.attributes['process.pid'], before?.attributes['process.pid']);
    assert.notEqual(
      after?.attributes['process.creation.time'],
      before?.attributes['process.creation.time'],
    );
  });

  it('describes a process once, by what is known of it', () => {
    const { start, collect } = fake();
    start();
    const [before] = collect(one(1), one(2)).series;
    const [after] = collect(one(1), one(2)).series;
    assert.equal(after?.attributes, before?.attributes);
    assert.ok(!Object.values(before?.attributes ?? {}).includes(undefined));
    const [renamed] = collect(one(2, { executable: 'another' })).series;
    assert.equal(renamed?.attributes['process.executable.name'], 'another');
  });

  it('leaves a snapshot as it was when the next is taken', () => {
    const { start, collect } = fake();
    start();
    const first = collect(one(1));
    const copy = structuredClone(first);
    collect(one(1, { activity: { voluntary_switches: 999 } }));
    assert.deepEqual(first, copy);
  });

  it('puts executables together', () => {
    const { start, collect } = fake({ by: 'executable' });
    start();
    const { series } = collect(one(1), one(2), one(3));
    assert.deepEqual(
      series.map(({ attributes, members, memory }) => [
        attributes['process.executable.name'],
        members,
        memory.anon / 4096,
      ]),
      [
        ['exe-1', 2, 40],
        ['exe-0', 1, 20],
      ],
    );
  });

  it('sees only what the filters let pass', () => {
    const { start, collect } = fake({ names: ['exe-1'], top: 1 });
    start();
    const { series, processes } = collect(one(1), one(2), one(3));
    assert.equal(processes, 3);
    assert.deepEqual(
      series.map(({ members }) => members),
      [1, 1],
    );
  });

  it('is degraded as long as something is lost', () => {
    const { start, collect, count, health } = fake();
    start();
    count(3n, 0n);
    collect(one(1));
    assert.match(health.current.reason ?? '', /^3 processes .*capacity \(16384\)/);
    count(3n, 7n);
    collect(one(1));
    assert.match(health.current.reason ?? '', /^7 per-CPU counters/);
    collect(one(1));
    assert.equal(health.current.state, 'ok');
  });

  it('tells when the counters of a process began by the clock, not by the second', () => {
    const { start, collect } = fake();
    start();
    const { series } = collect(one(1));
    const began = measureBoot() + 1000;
    assert.ok(Math.abs((series[0]?.startTime ?? 0) - began) < 500, `${began}`);
    const created = new Date(bootSecond() + 1000).toISOString();
    assert.equal(series[0]?.attributes['process.creation.time'], created);
  });

  it('says when the object writes what it cannot read', () => {
    const { start, collect, health } = fake();
    start();
    assert.equal(collect(one(1), new Uint8Array(24).fill(0xee)).series.length, 1);
    assert.match(health.current.reason ?? '', /24 bytes .* no record/);
    assert.equal(health.decodeErrorCount, 1);
  });

  it('refuses a user that is not there before it loads anything', () => {
    assert.throws(() => fake({ users: ['no-such-user-here'] }), /no user/);
  });
});
