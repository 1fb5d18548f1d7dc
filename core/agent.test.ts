import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import * as z from 'zod';
import { Agent, type AgentOptions, type Collection, type Sink } from './agent.js';
import type { LoadedBpf } from './bpf/host.js';
import { Agent as AgentSchema } from './config/schema.js';
import { MemWatcherError } from './errors.js';
import { type Logger, silentLogger } from './logger.js';
import { defineMetadata } from './metadata.js';
import { definePlugin, type Plugin } from './plugin.js';
import type { PluginBindings } from './plugin-runner.js';
import type { PointBatch, PointBatchBuilder } from './telemetry/points.js';
import type { PluginSelf } from './telemetry/self.js';
import { recordingLogger } from './telemetry/testing/samples.js';

type Behaviour = (bindings: PluginBindings) => Plugin<number>;

function module(name: string) {
  const metadata = defineMetadata({
    name,
    objects: ['other'],
    title: name,
    description: name,
    attributes: {},
    metrics: {
      [`memwatcher.${name}.level`]: {
        kind: 'gauge',
        unit: 'By',
        description: 'a level',
        attributes: [],
      },
    },
    events: {
      [`memwatcher.${name}.happened`]: { description: 'it', severity: 'WARN', attributes: [] },
    },
    spans: {},
    config: z.strictObject({}),
  });
  return definePlugin<typeof metadata, number>({
    metadata,
    Plugin: class {
      start() {}
      collect() {
        return 0;
      }
    },
    report: (records, out) => out.point(`memwatcher.${name}.level`, records, {}),
    view: { summary: '', options: [], tables: () => [], overview: () => [] },
  });
}

function agentOf(behaviours: Record<string, Behaviour>, options: Partial<AgentOptions> = {}) {
  const published: (readonly PointBatch[])[] = [];
  const changes: string[] = [];
  const described: (readonly PluginSelf[])[] = [];
  const order: string[] = [];
  const sink: Sink = {
    publish: (batches) => void published.push(batches),
    event: ({ event, severity, attributes }) => {
      const state = attributes['memwatcher.plugin.state'];
      if (state === undefined) order.push(`event ${event} ${severity}`);
      else changes.push(`${attributes['memwatcher.plugin']} ${state} ${severity}`);
    },
    span: () => false,
    flush: async () => void order.push('flush'),
  };
  const slice = { enabled: true, strategy: 'auto', metrics: {}, options: {} };
  const names = Object.keys(behaviours);
  const agent = new Agent({
    config: {
      ...AgentSchema.parse({
        interval: '100ms',
        start_timeout: '200ms',
        shutdown_timeout: '200ms',
      }),
      plugins: Object.fromEntries(names.map((name) => [name, slice])),
    },
    modules: names.map(module),
    build: ({ metadata }, bindings) => {
      bindings.scope.defer(() => void order.push(`close ${metadata.name}`));
      const behaviour = behaviours[metadata.name];
      assert.ok(behaviour);
      return behaviour(bindings);
    },
    loaderFor: () => ({
      load: () => ({ strategy: 'only', lacks: ['a hook'], close() {} }) as unknown as LoadedBpf,
    }),
    describe: (plugins) => {
      described.push(plugins);
      return { plugin: 'agent', time: 0, startTime: 0, steadyTime: 0, metrics: [] };
    },
    sinks: [sink],
    logger: silentLogger,
    ...options,
  });
  return { agent, published, described, changes, order };
}

const steady =
  (value: number): Behaviour =>
  () => ({ start() {}, collect: () => value });

test('a plugin that cannot start fails alone, with its reason, and is closed', async () => {
  const broken: Behaviour = () => ({
    start: () => {
      const detail = 'R1 invalid mem access';
      throw new MemWatcherError('BPF_LOAD_FAILED', 'the verifier refused it', { detail });
    },
    collect: () => 0,
  });
  const { agent, published, order } = agentOf({ broken, fine: steady(7) });
  await agent.start();
  assert.deepEqual(
    agent.statuses.map(({ plugin, state }) => [plugin, state]),
    [
      ['broken', 'failed'],
      ['fine', 'ok'],
    ],
  );
  assert.match(agent.statuses[0]?.reason ?? '', /verifier refused it\nR1 invalid mem access/);
  assert.deepEqual(order, ['close broken']);
  await agent.collect();
  assert.deepEqual(
    published[0]?.map((batch) => batch.plugin),
    ['fine', 'agent'],
  );
  await agent.stop();
  assert.equal(agent.statuses[0]?.state, 'failed');
});

test('a start that never ends is failed at its deadline', async () => {
  const stuck: Behaviour = () => ({ start: () => new Promise(() => {}), collect: () => 0 });
  const { agent } = agentOf({ stuck, fine: steady(1) });
  await agent.start();
  assert.match(agent.statuses[0]?.reason ?? '', /starting stuck took longer/);
  assert.equal(agent.statuses[1]?.state, 'ok');
  await agent.stop();
});

test('a collection that throws degrades the plugin until one succeeds', async () => {
  let healthy = false;
  const flaky: Behaviour = () => ({
    start() {},
    collect: () => {
      if (!healthy) throw new Error('read failed');
      return 1;
    },
  });
  const { agent, published, described } = agentOf({ flaky });
  await agent.start();
  await agent.collect();
  assert.equal(agent.statuses[0]?.state, 'degraded');
  assert.equal(described.at(-1)?.[0]?.missedCollections, 1);
  assert.deepEqual(
    published[0]?.map((batch) => batch.plugin),
    ['agent'],
    'no points: absent is not zero',
  );
  healthy = true;
  await agent.collect();
  assert.equal(agent.statuses[0]?.state, 'ok');
  await agent.stop();
});

test('stop takes a last collection, closes in reverse order, then flushes', async () => {
  const { agent, published, order } = agentOf({ one: steady(1), two: steady(2) });
  const seen: Collection[] = [];
  agent.onCollection((collection) => seen.push(collection));
  await agent.start();
  agent.schedule();
  await agent.stop();
  assert.equal(published.length, 2);
  assert.deepEqual(
    seen.map(({ number }) => number),
    [1, 2],
  );
  assert.deepEqual(order, ['close two', 'close one', 'flush']);
  assert.deepEqual(
    agent.statuses.map(({ state }) => state),
    ['stopped', 'stopped'],
  );
});

test('an agent that has finished says nothing more when it is stopped', async () => {
  const { agent, published } = agentOf({ one: steady(1) });
  await agent.start();
  agent.schedule();
  await agent.finish();
  assert.equal(published.length, 2);
  await agent.stop();
  assert.equal(published.length, 2);
});

test('a plugin that cannot be closed does not keep the others, nor the flush', async () => {
  const clinging: Behaviour = ({ scope }) => {
    scope.defer(() => new Promise(() => {}));
    return steady(1)({} as PluginBindings);
  };
  const errors: string[] = [];
  const log = { ...silentLogger, error: (_: object, message: string) => void errors.push(message) };
  const logger: Logger = { ...log, child: () => logger };
  const { agent, order } = agentOf({ one: steady(1), clinging }, { logger });
  await agent.start();
  await agent.stop();
  assert.deepEqual(order, ['close one', 'flush']);
  assert.deepEqual(errors, ['closing the plugin failed']);
});

test('an event carries its plugin and the severity of its metadata', async () => {
  const eventful: Behaviour = ({ emitter }) => ({
    start: () => emitter.event('memwatcher.eventful.happened' as never, 'it happened', {} as never),
    collect: () => 0,
  });
  const { agent, order } = agentOf({ eventful });
  await agent.start();
  assert.deepEqual(order, ['event memwatcher.eventful.happened WARN']);
  await agent.stop();
});

test('the strategy that was loaded, and what it lacks, is in the status', async () => {
  const loading: Behaviour = ({ loader, scope }) => ({
    start: () => void scope.use(loader.load()),
    collect: () => 0,
  });
  const logger = recordingLogger();
  const { agent, changes } = agentOf({ loading }, { logger });
  await agent.start();
  assert.equal(agent.statuses[0]?.strategy, 'only');
  assert.deepEqual(agent.statuses[0]?.lacks, ['a hook']);
  assert.deepEqual(changes, ['loading ok INFO'], 'what a kernel does not give is no fault');
  const line = logger.lines.find(({ message }) => message === 'loading is ok');
  const { lacks } = (line?.fields ?? {}) as { lacks?: unknown };
  assert.deepEqual([line?.level, lacks], ['info', ['a hook']]);
  await agent.stop();
});

test('an object besides its own is loaded by its name, and its strategy is not the plugin’s', async () => {
  const asked: (string | undefined)[] = [];
  const two: Behaviour = ({ loader, scope }) => ({
    start: () => {
      scope.use(loader.load());
      scope.use(loader.load({ object: 'other' }));
    },
    collect: () => 0,
  });
  const { agent } = agentOf(
    { two },
    {
      loaderFor: () => ({
        load: ({ object } = {}) => {
          asked.push(object);
          const [strategy, lack] = object === undefined ? ['own', 'a hook'] : ['others', 'a map'];
          return { strategy, lacks: [lack], close() {} } as unknown as LoadedBpf;
        },
      }),
    },
  );
  await agent.start();
  assert.deepEqual(asked, [undefined, 'other']);
  assert.equal(agent.statuses[0]?.strategy, 'own');
  assert.deepEqual(agent.statuses[0]?.lacks, ['a hook', 'a map']);
  await agent.stop();
});

test('an object that the metadata does not name is our mistake', async () => {
  const asking: Behaviour = ({ loader, scope }) => ({
    start: () => void scope.use(loader.load({ object: 'secret' })),
    collect: () => 0,
  });
  const { agent } = agentOf({ asking });
  await agent.start();
  assert.match(agent.statuses[0]?.reason ?? '', /asking has no object secret/);
  await agent.stop();
});

test('a change of state is an event for every sink, graver where it is graver', async () => {
  const broken: Behaviour = () => ({
    start: () => {
      throw new Error('no');
    },
    collect: () => 0,
  });
  const { agent, changes } = agentOf({ broken, fine: steady(1) });
  await agent.start();
  await agent.stop();
  assert.deepEqual(changes, ['broken failed ERROR', 'fine ok INFO', 'fine stopped INFO']);
});

test('a timer that fires early is one collection, not two', async (context) => {
  // Node's timers are whole milliseconds and may fire up to one before their time.
  context.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 1000;
  context.mock.method(performance, 'now', () => now);
  const { agent, published } = agentOf({ one: steady(1) });
  await agent.start();
  agent.schedule();
  await setImmediate();
  now = 1099.6;
  context.mock.timers.tick(100);
  await setImmediate();
  now = 1101;
  context.mock.timers.tick(1);
  await agent.collect();
  assert.equal(published.length, 3, 'two ticks and the one asked for');
  await agent.stop();
});

describe('a metric that two plugins declare', () => {
  const zone = {
    kind: 'gauge',
    unit: '{page}',
    description: 'free pages',
    attributes: [],
  } as const;
  const sharing = (name: string) => {
    const own = module(name);
    const metrics = { ...own.metadata.metrics, 'memwatcher.zone.free': zone };
    const report: typeof own.report = (records, out) => {
      own.report(records, out);
      (out as PointBatchBuilder).point('memwatcher.zone.free', 1, {});
    };
    return { ...own, metadata: { ...own.metadata, metrics }, report };
  };
  const broken: Behaviour = () => ({
    start: () => {
      throw new Error('no');
    },
    collect: () => 0,
  });

  /** Who reports it, and what the second one was told when it was built. */
  async function reporters(first: Behaviour, metrics: Readonly<Record<string, boolean>> = {}) {
    const told: boolean[] = [];
    const second: Behaviour = (bindings) => {
      told.push(bindings.metrics.isOn('memwatcher.zone.free'));
      return steady(2)(bindings);
    };
    const modules = ['first', 'second'].map(sharing);
    const slice = { enabled: true, strategy: 'auto', metrics: {}, options: {} };
    const config = {
      ...AgentSchema.parse({}),
      plugins: { first: { ...slice, metrics }, second: slice },
    };
    const { agent, published } = agentOf({ first, second }, { modules, config });
    await agent.start();
    await agent.collect();
    await agent.stop();
    const names = (published[0] ?? [])
      .filter((batch) => batch.metrics.some(({ name }) => name === 'memwatcher.zone.free'))
      .map(({ plugin }) => plugin);
    return { names, told };
  }

  test('is the first one’s', async () => {
    assert.deepEqual(await reporters(steady(1)), { names: ['first'], told: [false] });
  });

  test('is the second one’s where the first has it switched off', async () => {
    const off = { 'memwatcher.zone.free': false };
    assert.deepEqual(await reporters(steady(1), off), { names: ['second'], told: [true] });
  });

  test('is the second one’s where the first could not start', async () => {
    assert.deepEqual(await reporters(broken), { names: ['second'], told: [true] });
  });

  test('is the second one’s where the first does not run', async () => {
    const modules = [sharing('second')];
    const { agent, published } = agentOf({ second: steady(2) }, { modules });
    await agent.start();
    await agent.collect();
    await agent.stop();
    const names = published[0]?.[0]?.metrics.map(({ name }) => name);
    assert.deepEqual(names, ['memwatcher.second.level', 'memwatcher.zone.free']);
  });
});
