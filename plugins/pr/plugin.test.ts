import 'reflect-metadata';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { steadyNow } from '../../core/identity/boot-moment.js';
import { fake, typeNumber } from './fake.js';
import { RECLAIM_TYPES } from './reclaim.js';

const FIRST = RECLAIM_TYPES.length;
const MEMCG = typeNumber('memcg');
const KSWAPD = typeNumber('kswapd');

const who = { pid: 2 ** 30, tid: 2 ** 30, start_time: 1e9, comm: 'cat', executable: 'cat' };

/** As the kernel ends episodes of a cgroup; all of them in one bucket. */
const cgroupRow = (type: number, episodes: number, ns: number, bucket = 20) => ({
  key: { cgroup: 7, type },
  used: 1,
  pid: who.pid,
  figures: { episodes, ns, max_ns: ns, requested: 32 * episodes, scanned: 100, reclaimed: 60 },
  buckets: Array.from({ length: bucket + 1 }, (_, n) => (n === bucket ? episodes : 0)),
});

const typeOf = (snapshot: ReturnType<ReturnType<typeof fake>['plugin']['collect']>, n: number) =>
  snapshot.types[n];

describe('pr', () => {
  it('tells the object what it is to do, and closes it with its scope', async () => {
    const config = { span_threshold: '20ms', span_sampling: 0.25, span_rate: 100, capacity: 100 };
    const { object, scope, start } = fake({ config: { ...config, threads: 200 } });
    start();
    assert.equal(object.constants.get('span_threshold_ns'), 20_000_000);
    assert.equal(object.constants.get('span_share'), 2 ** 30);
    assert.equal(object.constants.get('span_interval_ns'), 10_000_000);
    assert.equal(object.map('threads').spec.maxEntries, 200);
    assert.equal(object.map('processes').spec.maxEntries, 100 + FIRST);
    assert.equal(object.map('processes_free').records.length, 100);
    await scope.close();
    assert.ok(object.closed);
    assert.equal(object.map('spans').open + object.map('pages').open, 0);
  });

  it('asks of requests only where they are reported', () => {
    for (const isOn of [true, false]) {
      const { object, start } = fake({ isOn: () => isOn });
      start();
      assert.equal(object.constants.get('requests_wanted'), Number(isOn));
    }
  });

  it('refuses to collect before it has started', () => {
    assert.throws(() => fake().plugin.collect(), /before it has started/);
  });

  it('begins every type at nothing, not at unknown', () => {
    const { plugin, start } = fake();
    start();
    const { types, pages, throttles, wakeups } = plugin.collect();
    assert.deepEqual(
      types.map(({ type, figures }) => [type, figures.episodes, figures.requested]),
      RECLAIM_TYPES.slice(0, -1).map((type) => [type, 0, 0]),
    );
    assert.deepEqual([pages, throttles, wakeups], [[], undefined, undefined]);
  });

  it('has no figures of a type that this kernel does not say', () => {
    const { plugin, start } = fake({ parts: [] });
    start();
    assert.deepEqual(
      plugin.collect().types.map(({ type }) => type),
      ['direct', 'kswapd'],
    );
  });

  it('adds up a type over cgroups, what found no room and what has left', () => {
    const { plugin, start, put } = fake();
    start();
    put('cgroups', FIRST, cgroupRow(MEMCG, 2, 1000));
    put('cgroups', FIRST + 1, { ...cgroupRow(MEMCG, 3, 500, 21), key: { cgroup: 8, type: MEMCG } });
    put('cgroups', MEMCG, { figures: { episodes: 1, ns: 10, max_ns: 10 }, buckets: [1] });
    const memcg = typeOf(plugin.collect(), MEMCG);
    assert.equal(memcg?.durations.count, 6);
    assert.equal(memcg?.durations.ns, 1510);
    assert.equal(memcg?.durations.maxNs, 1000);
    assert.deepEqual(memcg?.durations.buckets.slice(20, 22), [2, 3]);
    assert.equal(memcg?.figures.requested, 160);
  });

  it('knows who is in it now', () => {
    const { plugin, start, put } = fake();
    start();
    put('types', MEMCG, { begun: 10, ended: 4, abandoned: 1, untracked: 2 });
    assert.equal(typeOf(plugin.collect(), MEMCG)?.running, 3);
  });

  it('says what became of pages, and of states that the kernel drops nothing', () => {
    const { plugin, start, put } = fake();
    start();
    put('pages', MEMCG, {
      lists: 2,
      scanned: 64,
      reclaimed: 32,
      known: 0b1001,
      states: { dirty: 5, writeback: 7, congested: 99 },
    });
    const [row] = plugin.collect().pages;
    assert.deepEqual([row?.type, row?.node, row?.scanned, row?.reclaimed], ['memcg', 0, 64, 32]);
    assert.deepEqual([row?.states.dirty, row?.states.writeback], [5, 7]);
    assert.deepEqual([row?.states.congested, row?.states.demoted], [undefined, undefined]);
  });

  it('does not call nothing what was scanned where no hook says', () => {
    const { plugin, start, put } = fake();
    start();
    put('pages', typeNumber('other'), { lists: 2, reclaimed: 32 });
    assert.equal(plugin.collect().pages[0]?.scanned, undefined);
  });

  it('says since when it counts requests of a kind that had left its table', () => {
    const { plugin, start, put } = fake();
    start();
    const began = steadyNow();
    plugin.collect();
    put('requests', FIRST, { key: { type: MEMCG, order: 2 }, used: 1, figures: { episodes: 3 } });
    const [kind] = plugin.collect().requests;
    assert.equal(kind?.figures.episodes, 3);
    assert.ok((kind?.startTime ?? 0) >= began, `${kind?.startTime}, not before ${began}`);
  });

  it('has figures of the parts that the kernel gives', () => {
    const { plugin, start, put } = fake({ parts: ['throttled', 'wakeups'] });
    start();
    put('throttles', 2, { count: 3, ns: 3e8 });
    put('wakeups', 0, { count: 9 });
    const { throttles, wakeups } = plugin.collect();
    assert.deepEqual(throttles?.[2], { reason: 'no_progress', count: 3, ns: 3e8 });
    assert.equal(throttles?.length, 4, 'a reason that nobody gave is not listed');
    assert.deepEqual(wakeups, [{ node: 0, count: 9 }]);
  });

  it('tells processes apart, the longest first, and lets filters choose', () => {
    const { plugin, start, put } = fake({ config: { names: ['cat', 'dog'] } });
    start();
    const row = (pid: number, comm: string, ns: number) => ({
      key: { pid, type: MEMCG },
      used: 1,
      order: 3,
      figures: { episodes: 1, ns, max_ns: ns },
      who: { ...who, pid, tid: pid, comm, executable: comm },
    });
    put('processes', FIRST, row(2 ** 30, 'cat', 10));
    put('processes', FIRST + 1, row(2 ** 30 + 1, 'dog', 20));
    put('processes', FIRST + 2, row(2 ** 30 + 2, 'cow', 30));
    put('processes', MEMCG, { figures: { episodes: 5, ns: 99 } });
    const { processes } = plugin.collect();
    assert.deepEqual(
      processes.map(({ attributes, figures }) => [
        attributes['process.executable.name'] ?? attributes['memwatcher.reclaim.other'],
        figures.ns,
      ]),
      [
        ['dog', 20],
        ['cat', 10],
        [true, 99],
      ],
    );
    assert.equal(processes[0]?.order, 3);
  });
});

describe('spans of pr', () => {
  const episode = {
    type: MEMCG,
    order: 2,
    gfp: 0xcc0,
    priority: 9,
    begin: 5_000_000_000,
    end: 5_020_000_000,
    requested: 32,
    lists: 2,
    scanned: 200,
    reclaimed: 50,
    freed: 60,
    nodes: 0b101,
    throttled_ns: 1_500_000,
    known: 1,
    states: { dirty: 4 },
  };

  it('are sent with the kernel’s own begin and end, and all that is known', () => {
    const { plugin, start, spans, send } = fake({ parts: ['throttled'] });
    start();
    send({ who, episode });
    plugin.collect();
    const [span] = spans;
    assert.ok(span);
    assert.ok(Math.abs(span.endTime - span.startTime - 20) < 1e-3);
    const { attributes } = span;
    assert.equal(attributes['process.executable.name'], 'cat');
    assert.equal(attributes['memwatcher.reclaim.type'], 'memcg');
    assert.deepEqual(attributes['memwatcher.reclaim.nodes'], [0, 2]);
    assert.equal(attributes['memwatcher.reclaim.efficiency'], 0.25);
    assert.equal(attributes['memwatcher.reclaim.throttled'], 0.0015);
    assert.equal(attributes['memwatcher.reclaim.encountered.dirty'], 4);
    assert.equal(attributes['memwatcher.reclaim.encountered.writeback'], undefined);
  });

  it('do not invent what was not seen', () => {
    const { plugin, start, spans, send } = fake();
    start();
    const unseen = { requested: 0, lists: 0, scanned: 0, reclaimed: 0, priority: -1, known: 0 };
    send({ who, episode: { ...episode, ...unseen } });
    plugin.collect();
    const attributes = spans[0]?.attributes ?? {};
    for (const key of ['requested', 'scanned', 'efficiency', 'priority', 'throttled']) {
      assert.equal(attributes[`memwatcher.reclaim.${key}`], undefined, key);
    }
  });

  it('are linked to from the histogram, the newest first and a few at most, each once', () => {
    const { plugin, start, send } = fake();
    start();
    for (let n = 1; n <= 6; n++) {
      send({ who, episode: { ...episode, end: episode.begin + n * 10_000_000 } });
    }
    send({ who, episode: { ...episode, type: KSWAPD } });
    const exemplars = typeOf(plugin.collect(), MEMCG)?.durations.exemplars ?? [];
    assert.deepEqual(
      exemplars.map(({ value }) => value),
      [0.06, 0.05, 0.04, 0.03],
    );
    assert.equal(exemplars[0]?.span.spanId, '0000000000000006');
    assert.deepEqual(typeOf(plugin.collect(), MEMCG)?.durations.exemplars, []);
  });

  it('make no exemplars where nobody takes traces', () => {
    const { plugin, start, send } = fake({ takesSpans: false });
    start();
    send({ who, episode });
    const snapshot = plugin.collect();
    assert.deepEqual(typeOf(snapshot, MEMCG)?.durations.exemplars, []);
    assert.deepEqual([snapshot.spans.sent, snapshot.spans.unwanted], [0, 1]);
  });

  it('are counted by what became of them', () => {
    const { plugin, start, send, put, spans } = fake({ config: { pids: [1] } });
    start();
    send({ who, episode });
    send({ who: { ...who, pid: 1 }, episode });
    put('types', MEMCG, { sampled_out: 3, ring_full: 1 });
    put('types', KSWAPD, { sampled_out: 1, rate_limited: 5 });
    const fates = {
      sent: 1,
      sampled_out: 4,
      rate_limited: 5,
      ring_full: 1,
      filtered: 1,
      unwanted: 0,
    };
    assert.deepEqual(plugin.collect().spans, fates);
    assert.equal(spans.length, 1);
  });

  it('that are damaged are counted, and the others are sent', () => {
    const { plugin, start, send, object, health, spans } = fake();
    start();
    object.map('spans').records.push(new Uint8Array(8).fill(0xee));
    send({ who, episode });
    plugin.collect();
    assert.equal(spans.length, 1);
    assert.equal(health.decodeErrorCount, 1);
  });

  it('that came since the last look are sent when it is closed', async () => {
    const { scope, start, spans, send } = fake();
    start();
    send({ who, episode });
    await scope.close();
    assert.equal(spans.length, 1);
  });

  it('that cannot be sent between collections do not end the agent', async () => {
    const { scope, start, spans, send, health } = fake();
    start();
    spans.push = () => {
      throw new Error('nowhere to go');
    };
    send({ who, episode });
    while (health.current.state === 'ok') await new Promise((resolve) => setTimeout(resolve, 10));
    assert.match(health.current.reason ?? '', /spans cannot be read: nowhere to go/);
    await scope.close();
  });
});

describe('what pr loses', () => {
  it('is said as long as it goes on', () => {
    const { plugin, start, put, lose, health } = fake();
    start();
    plugin.collect();
    put('types', MEMCG, { untracked: 2, abandoned: 1, ring_full: 4 });
    lose({ map_full: 5, ring_drops: 4 });
    plugin.collect();
    const reason = health.current.reason ?? '';
    assert.match(reason, /2 episodes were not followed: raise plugins\.pr\.threads \(1024/);
    assert.match(reason, /3 episodes are counted, but not whose .* plugins\.pr\.capacity \(1024\)/);
    assert.match(reason, /4 spans found the ring buffer full/);
    assert.match(reason, /of 1 episodes no end was seen/);
    plugin.collect();
    assert.equal(health.current.state, 'ok');
  });

  it('is counted, what began before it and what found no room', () => {
    const { plugin, start, put } = fake();
    start();
    put('types', MEMCG, { unmatched: 5, untracked: 2, abandoned: 1 });
    const unmeasured = { no_begin: 3, no_end: 1, no_room: 2 };
    assert.deepEqual(plugin.collect().unmeasured, unmeasured);
  });

  it('shows how full its tables are', () => {
    const { plugin, start, put, health } = fake({ config: { capacity: 100 } });
    start();
    put('cgroups', FIRST, cgroupRow(MEMCG, 1, 1));
    plugin.collect();
    assert.equal(health.fullnessOf()?.get('cgroups'), 0.01);
  });
});
