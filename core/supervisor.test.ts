import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Agent } from './agent.js';
import { Agent as AgentSchema } from './config/schema.js';
import { silentLogger } from './logger.js';
import type { PluginState } from './plugin.js';
import { type Assemble, Supervisor } from './supervisor.js';

/** Agents that only keep a diary; `interval` tells them apart. */
function diary(states: Record<number, PluginState>) {
  const lines: string[] = [];
  const assemble: Assemble = async (config, previous) => {
    const id = config.interval;
    if (id === 999) throw new Error('port 9464 is in use');
    const agent = {
      statuses: [{ plugin: 'probe', state: states[id] ?? 'ok', reason: 'no such field' }],
      start: async () => void lines.push(`start ${id}`),
      schedule: () => void lines.push(`schedule ${id}`),
      finish: async () => void lines.push(`finish ${id}`),
      takeOver: async () => void lines.push(`take over ${id}`),
      announce: () => void lines.push(`announce ${id}`),
      retire: async () => void lines.push(`retire ${id}`),
      abandon: async () => void lines.push(`abandon ${id}`),
      stop: async () => void lines.push(`stop ${id}`),
      onCollection: () => undefined,
      onEvent: () => undefined,
    };
    lines.push(`assemble ${id} after ${previous?.config.interval ?? 'nothing'}`);
    return {
      agent: agent as unknown as Agent,
      config,
      release: async (successor) =>
        void lines.push(`release ${id} to ${successor?.config.interval ?? 'nobody'}`),
    };
  };
  return { lines, supervisor: new Supervisor({ assemble, logger: silentLogger }) };
}

const config = (interval: number) => ({ ...AgentSchema.parse({}), interval, plugins: {} });

test('a reload starts the new agent before it stops the old', async () => {
  const { lines, supervisor } = diary({});
  await supervisor.start(config(101));
  assert.equal(await supervisor.reload(() => config(102)), true);
  await supervisor.stop();
  assert.deepEqual(lines, [
    'assemble 101 after nothing',
    'start 101',
    'schedule 101',
    'assemble 102 after 101',
    'start 102',
    'finish 101',
    'take over 102',
    'schedule 102',
    'retire 101',
    'announce 102',
    'release 101 to 102',
    'stop 102',
    'release 102 to nobody',
  ]);
});

test('a hundred reloads that were asked for while one is under way are one more', async () => {
  const { lines, supervisor } = diary({});
  await supervisor.start(config(101));
  const loads: number[] = [];
  const begun = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const reload = (id: number) =>
    supervisor.reload(async () => {
      loads.push(id);
      begun.resolve();
      await asked.promise;
      return config(id);
    });
  const first = reload(102);
  await begun.promise;
  const more = Array.from({ length: 100 }, (_, n) => reload(200 + n));
  asked.resolve();
  assert.deepEqual(await Promise.all([first, ...more]), Array(101).fill(true));
  assert.deepEqual(loads, [102, 299]);
  await supervisor.stop();
  assert.equal(lines.at(-1), 'release 299 to nobody');
});

test('a configuration that cannot be read changes nothing', async () => {
  const { lines, supervisor } = diary({});
  await supervisor.start(config(101));
  const refused = await supervisor.reload(() => {
    throw new Error('agent.yaml:3:1: unknown key');
  });
  assert.equal(refused, false);
  assert.equal(lines.length, 3);
});

test('sinks that cannot be made change nothing', async () => {
  const { lines, supervisor } = diary({});
  await supervisor.start(config(101));
  assert.equal(await supervisor.reload(() => config(999)), false);
  assert.equal(lines.length, 3);
});

test('a plugin that worked and would fail now keeps the old agent', async () => {
  const { lines, supervisor } = diary({ 102: 'failed' });
  await supervisor.start(config(101));
  assert.equal(await supervisor.reload(() => config(102)), false);
  assert.deepEqual(lines.slice(3), [
    'assemble 102 after 101',
    'start 102',
    'abandon 102',
    'release 102 to 101',
  ]);
});

test('a plugin that had failed already may fail again', async () => {
  const { supervisor } = diary({ 101: 'failed', 102: 'failed' });
  await supervisor.start(config(101));
  assert.equal(await supervisor.reload(() => config(102)), true);
});

test('a stop before a reload has begun comes first', async () => {
  const { lines, supervisor } = diary({});
  await supervisor.start(config(101));
  const [taken] = await Promise.all([supervisor.reload(() => config(102)), supervisor.stop()]);
  assert.equal(taken, false);
  assert.deepEqual(lines.slice(-2), ['stop 101', 'release 101 to nobody']);
});
