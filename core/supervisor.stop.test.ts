/** Stops that come while a reload is under way. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Supervised } from './testing/supervised.js';

const OFTEN = { interval: '1h', shutdown_timeout: '4s' };
const second = { ...OFTEN, plugins: { changing: { label: 'second' } } };
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const never = () => new Promise<never>(() => undefined);

const agents: Supervised[] = [];
after(async () => {
  for (const agent of agents) await agent.endpoint.close();
});

async function running(): Promise<Supervised> {
  const agent = await Supervised.probes(['keeping', 'changing'], OFTEN);
  agents.push(agent);
  await agent.supervisor.start(agent.config(OFTEN));
  await agent.until(({ number }) => number >= 1);
  for (const source of agent.sources.values()) source.happen();
  return agent;
}

const closed = (agent: Supervised) =>
  [...agent.sources.values()].map((source) => source.built - source.closed);

test('a stop during the last collection of the old agent ends it, with what could be read', async () => {
  const agent = await running();
  const reached = Promise.withResolvers<void>();
  agent.source('keeping').collecting = () => {
    reached.resolve();
    return never();
  };
  const reloaded = agent.reload(second);
  await reached.promise;
  await agent.supervisor.stop();
  assert.equal(await reloaded, false);
  assert.equal(sum(agent.sent('memwatcher.changing.count')), 1);
  assert.deepEqual(closed(agent), [0, 0]);
});

test('a stop during the handover closes both agents, and takes a last collection', async () => {
  const agent = await running();
  const reached = Promise.withResolvers<void>();
  const changing = agent.source('changing');
  changing.starting = () => {
    let readings = 0;
    changing.collecting = () => {
      readings++;
      // The first is the last collection of the old instance.
      if (readings === 1) return undefined;
      reached.resolve();
      return never();
    };
  };
  const reloaded = agent.reload(second);
  await reached.promise;
  agent.source('keeping').happen('while the new agent takes over');
  await agent.supervisor.stop();
  assert.equal(await reloaded, true);
  assert.deepEqual(closed(agent), [0, 0]);
  assert.equal(sum(agent.sent('memwatcher.keeping.count')), 2);
  assert.equal(sum(agent.sent('memwatcher.changing.count')), 1);
});
