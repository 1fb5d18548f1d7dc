/** Reloads of the whole agent, through the real supervisor, delta converter and OTLP exporter. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { Collection } from './agent.js';
import { Telemetry } from './telemetry/pipeline.js';
import { ProcessTable, processModule, processPlugin } from './testing/process-table.js';
import { Supervised } from './testing/supervised.js';

const HAPPENED = 'memwatcher.probe.happened';
const CHANGED = 'memwatcher.agent.plugin.status_change';
const COUNT = 'memwatcher.changing.count';

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const labelled = (label: string, more: object = {}) => ({
  plugins: { changing: { label, ...more } },
});

const agents: Supervised[] = [];
after(async () => {
  for (const agent of agents) await agent.close();
});

async function running(raw: Record<string, unknown> = {}): Promise<Supervised> {
  const agent = await Supervised.probes(['keeping', 'changing'], raw);
  agents.push(agent);
  await agent.supervisor.start(agent.config(raw));
  await agent.until(({ number }) => number >= 1);
  return agent;
}

const FAULTS = 'memwatcher.processes.faults';
const SEEN = 'memwatcher.processes.seen';

async function readingProcesses(table: ProcessTable, temporality: 'delta' | 'cumulative') {
  const agent = await Supervised.of([processModule], () => processPlugin(table), { temporality });
  agents.push(agent);
  await agent.supervisor.start(agent.config());
  await agent.until(({ number }) => number >= 1);
  return agent;
}

const relabelled = { plugins: { processes: { label: 'second' } } };
const ofSeries = (agent: Supervised, metric: string, pid: number) =>
  agent.points(metric).filter(({ series }) => series === `process.pid=${pid}`);

/** Statuses in the log, as `plugin is state`. */
const logged = (agent: Supervised) =>
  agent.lines.flatMap((line) => /(\w+ (?:is \w+|failed))/.exec(line.slice(15))?.[1] ?? []);

test('only the plugin whose configuration changed is started again', async () => {
  const agent = await running();
  const keeping = agent.source('keeping');
  keeping.happen();
  assert.equal(await agent.reload(labelled('second')), true);
  keeping.happen();
  assert.deepEqual([keeping.built, keeping.closed], [1, 0]);
  assert.deepEqual([agent.source('changing').built, agent.source('changing').closed], [2, 1]);
  await agent.supervisor.stop();
  assert.equal(sum(agent.sent('memwatcher.keeping.count')), 2, 'it counts on');
  assert.deepEqual([keeping.built, keeping.closed], [1, 1]);
});

test('switching a metric off is a change of the plugin', async () => {
  const agent = await running();
  assert.equal(await agent.reload(labelled('', { metrics: { [COUNT]: false } })), true);
  assert.deepEqual([agent.source('keeping').built, agent.source('changing').built], [1, 2]);
  await agent.next();
  assert.equal(
    agent.collections.at(-1)?.plugins.find(({ name }) => name === 'changing')?.batch.metrics.length,
    0,
  );
});

test('no other change starts a plugin again', async () => {
  const agent = await running();
  const changes = [
    { log: { level: 'error' } },
    { interval: '110ms' },
    { resource: { team: 'memory' } },
    { exporters: { otlp: { default: { endpoint: agent.endpoint.url, timeout: '3s' } } } },
    { shutdown_timeout: '3s', start_timeout: '3s', collect_timeout: '50ms' },
  ];
  for (const change of changes) {
    const prometheus = { enabled: false };
    const { exporters, ...rest } = { exporters: undefined, ...change };
    const raw = exporters ? { ...rest, exporters: { ...exporters, prometheus } } : rest;
    assert.equal(await agent.reload(raw), true, JSON.stringify(change));
    await agent.next();
  }
  for (const { built, closed } of agent.sources.values()) assert.deepEqual([built, closed], [1, 0]);
  const numbers = agent.collections.map(({ number }) => number);
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => index + 1),
    'collections are counted on',
  );
});

test('the level of the log changes for plugins and exporters that go on', async () => {
  const agent = await running();
  await agent.reload({ log: { level: 'error' } });
  const before = agent.lines.length;
  await agent.reload({ log: { level: 'error' }, interval: '110ms' });
  assert.deepEqual(agent.lines.slice(before), []);
  await agent.reload({ log: { level: 'info' } });
  assert.match(agent.lines.at(-1) ?? '', /reloaded/);
});

test('what happens while two instances run is one event', async () => {
  const agent = await running();
  const changing = agent.source('changing');
  changing.happen('before');
  changing.starting = async () => {
    changing.happen('while both run');
    await setImmediate();
    changing.happen('and again');
  };
  changing.closing = async () => {
    await setImmediate();
    changing.happen('while the old one is closed');
  };
  assert.equal(await agent.reload(labelled('second')), true);
  changing.closing = () => undefined;
  changing.happen('after');
  await agent.supervisor.stop();
  assert.deepEqual(agent.bodies(HAPPENED), [
    'before',
    'while both run',
    'and again',
    'while the old one is closed',
    'after',
  ]);
});

test('what waits to be reported is reported once, by the instance that saw it first', async () => {
  const agent = await running(labelled('', { waits: true }));
  const changing = agent.source('changing');
  changing.happen('before');
  changing.starting = () => changing.happen('while both run');
  assert.equal(await agent.reload(labelled('second', { waits: true })), true);
  changing.happen('after');
  await agent.supervisor.stop();
  assert.deepEqual(agent.bodies(HAPPENED), ['before', 'while both run', 'after']);
});

test('what two instances counted is sent once', async () => {
  const agent = await running();
  const changing = agent.source('changing');
  for (let n = 0; n < 100; n++) changing.happen();
  changing.starting = () => {
    for (let n = 0; n < 10; n++) changing.happen();
  };
  assert.equal(await agent.reload(labelled('second')), true);
  for (let n = 0; n < 3; n++) changing.happen();
  await agent.next();
  await agent.supervisor.stop();
  assert.equal(sum(agent.sent(COUNT)), 113, `${agent.sent(COUNT)}`);
});

for (const [fate, first] of [
  ['late', (reloaded: Promise<unknown>) => reloaded],
  ['failed', () => Promise.reject(new Error('not now'))],
] as const) {
  test(`what two instances counted is sent once if the first reading is ${fate}`, async () => {
    const agent = await running({ collect_timeout: '30ms' });
    const changing = agent.source('changing');
    for (let n = 0; n < 100; n++) changing.happen();
    const reloaded = Promise.withResolvers<void>();
    let readings = 0;
    changing.starting = () => {
      for (let n = 0; n < 10; n++) changing.happen();
      changing.collecting = () => {
        // After the last collection of the old instance.
        readings++;
        return readings === 2 ? first(reloaded.promise) : undefined;
      };
    };
    assert.equal(await agent.reload({ ...labelled('second'), collect_timeout: '30ms' }), true);
    reloaded.resolve();
    const isRead = ({ plugins }: Collection) => plugins.some(({ name }) => name === 'changing');
    while (!isRead(await agent.next()));
    for (let n = 0; n < 3; n++) changing.happen();
    while (!isRead(await agent.next()));
    await agent.supervisor.stop();
    assert.equal(sum(agent.sent(COUNT)), 113, `${agent.sent(COUNT)}`);
  });
}

test('subtracts what an instance counted on trial, whenever its series began', async () => {
  const table = new ProcessTable();
  // Series begin in another millisecond than their instance does.
  table.starting = () => sleep(5);
  const agent = await readingProcesses(table, 'delta');
  table.fault(7, 5);
  table.starting = () => {
    table.fault(7, 100);
    return sleep(5);
  };
  assert.equal(await agent.reload(relabelled), true);
  table.fault(7, 3);
  await agent.next();
  await agent.supervisor.stop();
  for (const pid of [0, 1]) {
    const values = ofSeries(agent, SEEN, pid).map(({ value }) => value);
    assert.equal(sum(values), 108, `${pid}: ${values}`);
  }
});

for (const temporality of ['delta', 'cumulative'] as const) {
  test(`what comes between the last collection and the handover is in the ${temporality} counter`, async () => {
    const table = new ProcessTable();
    const agent = await readingProcesses(table, temporality);
    table.fault(7, 5);
    await agent.next();
    table.starting = () => {
      // The old instance has read its counters, and not yet handed over.
      table.collecting = () => {
        table.collecting = () => undefined;
        table.fault(7, 50);
      };
    };
    assert.equal(await agent.reload(relabelled), true);
    await agent.next();
    table.fault(7, 3);
    await agent.next();
    await agent.supervisor.stop();
    for (const pid of [0, 1]) {
      const points = ofSeries(agent, SEEN, pid);
      const values = points.map(({ value }) => value);
      const second = points.filter(({ start }) => start === points.at(-1)?.start);
      if (temporality === 'delta') assert.equal(sum(values), 58, `${pid}: ${values}`);
      else {
        assert.equal(second.at(-1)?.value, 53, `${pid}: ${values}`);
        const before = points[points.length - second.length - 1];
        assert.equal(before?.value, 5);
        // 10 ms: what a clock of the kernel's ticks is exact to.
        assert.ok(Number((before?.time ?? 0n) - (second[0]?.start ?? 0n)) <= 11e6, 'no gap');
      }
    }
  });

  test(`what comes while both instances are read is in the ${temporality} counter`, async () => {
    const table = new ProcessTable();
    const agent = await readingProcesses(table, temporality);
    table.fault(7, 5);
    await agent.next();
    table.starting = () => {
      let readings = 0;
      table.collecting = () => {
        // Between any two of the first readings: of the old instance, and of both in turn.
        if (++readings <= 5) table.fault(7, 10 ** readings);
      };
    };
    assert.equal(await agent.reload(relabelled), true);
    table.fault(7, 3);
    await agent.next();
    await agent.supervisor.stop();
    for (const pid of [0, 1]) {
      const values = ofSeries(agent, SEEN, pid).map(({ value }) => value);
      const total = temporality === 'delta' ? sum(values) : 5 + Number(values.at(-1));
      assert.equal(total, 111118, `${pid}: ${values}`);
    }
  });

  test(`a process that is born between a start and the handover keeps its ${temporality} counter`, async () => {
    const table = new ProcessTable();
    const agent = await readingProcesses(table, temporality);
    let isReloading = false;
    table.starting = () => {
      isReloading = true;
    };
    table.collecting = async () => {
      if (!isReloading) return;
      isReloading = false;
      // In the last collection of the old instance, after the new one has started.
      await sleep(5);
      table.fault(7, 1000);
      await sleep(5);
    };
    assert.equal(await agent.reload(relabelled), true);
    await agent.next();
    table.fault(7, 10);
    await agent.next();
    await agent.supervisor.stop();
    const points = ofSeries(agent, FAULTS, 7);
    const values = points.map(({ value }) => value);
    assert.equal(temporality === 'delta' ? sum(values) : values.at(-1), 1010, `${values}`);
    if (temporality === 'cumulative') {
      assert.equal(new Set(points.map(({ start }) => start)).size, 1, 'one start time');
    }
  });
}

test('a plugin that goes on has no new status, and one started again ends as it is', async () => {
  const agent = await running();
  assert.equal(await agent.reload(labelled('second')), true);
  const { self } = await agent.next();
  const states = self?.metrics.find(({ name }) => name === 'memwatcher.agent.plugin.status');
  const current = states?.scalars.filter(({ value }) => value === 1);
  assert.deepEqual(
    current?.map(({ attributes }) => attributes['memwatcher.plugin.state']),
    ['ok', 'ok'],
  );
  const expected = ['keeping is ok', 'changing is ok', 'changing is stopped', 'changing is ok'];
  assert.deepEqual(logged(agent), expected);
  await agent.supervisor.stop();
  const bodies = agent.bodies(CHANGED);
  assert.deepEqual(bodies.slice(0, 4), expected);
  assert.deepEqual(bodies.slice(4).toSorted(), ['changing is stopped', 'keeping is stopped']);
  const times = agent.times(CHANGED);
  assert.ok(
    times.every((time, n) => n === 0 || time >= (times[n - 1] ?? 0n)),
    `${times}`,
  );
});

test('a reload that makes a plugin fail leaves no trace but the reason', async () => {
  const agent = await running();
  const changing = agent.source('changing');
  assert.equal(await agent.reload(labelled('broken')), false);
  assert.match(agent.lines.at(-1) ?? '', /reload refused.*changing would fail: no such thing/);
  assert.deepEqual([changing.built, changing.closed], [2, 1], 'the new instance is closed');
  changing.happen('after');
  await agent.next();
  await agent.supervisor.stop();
  assert.deepEqual(agent.bodies(HAPPENED), ['after']);
  assert.equal(sum(agent.sent(COUNT)), 1);
  assert.equal(agent.bodies(CHANGED).filter((body) => /changing/.test(body)).length, 2);
});

test('state is handed over before the new instance takes it, and never to one that fails', async () => {
  const agent = await running();
  const { handed } = agent.source('changing');
  assert.deepEqual(handed, ['1 takes over']);
  assert.equal(await agent.reload(labelled('broken')), false);
  assert.deepEqual(handed, ['1 takes over']);
  assert.equal(await agent.reload(labelled('second')), true);
  assert.deepEqual(handed, ['1 takes over', '1 hands over', '3 takes over']);
  assert.deepEqual(agent.source('keeping').handed, ['1 takes over']);
});

test('a plugin that is switched off is stopped, and one that is switched on starts', async () => {
  const agent = await running({ plugins: { keeping: { enabled: false } } });
  assert.equal(await agent.reload({ plugins: { changing: { enabled: false } } }), true);
  const { plugins } = await agent.next();
  assert.deepEqual(
    plugins.map(({ name }) => name),
    ['keeping'],
  );
  assert.deepEqual(logged(agent), ['changing is ok', 'changing is stopped', 'keeping is ok']);
  agent.source('keeping').happen('seen');
  await agent.supervisor.stop();
  assert.deepEqual(agent.bodies(HAPPENED), ['seen']);
});

const otherExporter = ({ endpoint }: Supervised) => ({
  exporters: {
    otlp: { default: { endpoint: endpoint.url, timeout: '3s', temporality: 'delta' } },
    prometheus: { enabled: false },
  },
});

test('events are reported after a reload though the clock was set back', async () => {
  const agent = await running();
  assert.equal(await agent.reload(labelled('second')), true);
  const { now } = Date;
  Date.now = () => now() - 3_600_000;
  try {
    agent.source('changing').happen('an hour ago');
  } finally {
    Date.now = now;
  }
  await agent.supervisor.stop();
  assert.deepEqual(agent.bodies(HAPPENED), ['an hour ago']);
});

test('a new exporter learns the status of a plugin that went on', async () => {
  const agent = await running();
  assert.equal(await agent.reload(otherExporter(agent)), true);
  await agent.supervisor.stop();
  const bodies = agent.bodies(CHANGED).filter((body) => /keeping/.test(body));
  assert.deepEqual(bodies, ['keeping is ok', 'keeping is ok', 'keeping is stopped']);
});

test('a new exporter does not send what the one before it has sent', async () => {
  const table = new ProcessTable();
  const agent = await readingProcesses(table, 'delta');
  const { supervisor } = agent;
  const reloaded = supervisor.reload(() =>
    agent.config({ ...otherExporter(agent), ...relabelled }),
  );
  // It starts after the new exporter was made, and before the last collection of the old one.
  table.starting = async () => {
    await sleep(5);
    table.fault(7, 1000);
    await sleep(5);
  };
  assert.equal(await reloaded, true);
  await agent.next();
  await agent.supervisor.stop();
  const values = ofSeries(agent, FAULTS, 7).map(({ value }) => value);
  assert.equal(sum(values), 1000, `${values}`);
});

test('the series of a plugin that is switched off are forgotten', async () => {
  const agent = await running();
  const heldOf = ({ self }: Collection) =>
    self?.metrics
      .find(({ name }) => name === 'memwatcher.agent.export.delta.series')
      ?.scalars.find(({ attributes }) => attributes['memwatcher.plugin'] === 'changing')?.value;
  await agent.until((collection) => heldOf(collection) === 1);
  assert.equal(await agent.reload({ plugins: { changing: { enabled: false } } }), true);
  assert.equal(heldOf(await agent.next()), 0);
});

test('a sink that cannot be closed is no reason to refuse a reload that has succeeded', async () => {
  const agent = await running();
  const { close } = Telemetry.prototype;
  Telemetry.prototype.close = () => Promise.reject(new Error('it would not close'));
  try {
    const prometheus = { enabled: false };
    const otlp = { default: { endpoint: agent.endpoint.url, timeout: '3s', temporality: 'delta' } };
    assert.equal(await agent.reload({ exporters: { otlp, prometheus } }), true);
  } finally {
    Telemetry.prototype.close = close;
  }
  assert.deepEqual(
    agent.lines.slice(-2).filter((line) => /it would not close|reloaded/.test(line)).length,
    2,
    agent.lines.join(''),
  );
  await agent.next();
});

test('a plugin that failed is tried again', async () => {
  const agent = await running(labelled('broken'));
  assert.equal(await agent.reload(labelled('broken')), true);
  assert.deepEqual([agent.source('keeping').built, agent.source('changing').built], [1, 2]);
});

test('a stop in the middle of a reload ends it, and stops all', async () => {
  const agent = await running();
  const reached = Promise.withResolvers<void>();
  agent.source('changing').starting = () => {
    reached.resolve();
    return new Promise(() => undefined);
  };
  const reloaded = agent.reload(labelled('second'));
  await reached.promise;
  await agent.supervisor.stop();
  assert.equal(await reloaded, false);
  assert.deepEqual([agent.source('changing').closed, agent.source('keeping').closed], [2, 1]);
});
