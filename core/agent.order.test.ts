/** Collections of plugins that are slow, through the real agent, delta converter and exporter. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Supervised } from './testing/supervised.js';

const COUNT = 'memwatcher.steady.count';
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** `held` ends its collections when it is told to. */
async function withOneHeld(test: (agent: Supervised, release: () => void) => Promise<void>) {
  const agent = await Supervised.probes(['held', 'steady']);
  let gate = Promise.withResolvers<void>();
  agent.source('held').collecting = () => gate.promise;
  const steady = agent.source('steady');
  steady.base = 1_000_000;
  steady.collecting = () => steady.happen();
  try {
    await agent.supervisor.start(agent.config());
    await test(agent, () => {
      gate.resolve();
      gate = Promise.withResolvers<void>();
      gate.resolve();
    });
  } finally {
    gate.resolve();
    await agent.close();
  }
}

test('a plugin that is late delays nobody, and nothing comes out of order', async () => {
  let total = 0;
  await withOneHeld(async (agent, release) => {
    await agent.until(({ number }) => number >= 4);
    release();
    await agent.until(({ plugins }) => plugins.some(({ name }) => name === 'held'));
    await agent.next();
    await agent.supervisor.stop();
    assert.deepEqual(
      agent.collections.map(({ number }) => number),
      agent.collections.map((_, index) => index + 1),
    );
    for (const name of ['held', 'steady']) {
      const parts = agent.collections.flatMap(({ plugins }) =>
        plugins.filter((plugin) => plugin.name === name),
      );
      const times = parts.map(({ batch }) => batch.steadyTime);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
        name,
      );
    }
    for (const { plugins } of agent.collections) {
      assert.ok(plugins.some(({ name }) => name === 'steady'));
    }
    const last = agent.collections.at(-1)?.plugins.find(({ name }) => name === 'steady');
    total = last?.batch.metrics[0]?.scalars[0]?.value ?? 0;
    assert.equal(sum(agent.sent(COUNT)), total, `the deltas are ${agent.sent(COUNT)}`);
  });
  assert.ok(total > 1_000_000);
});

test('a part that is left out is counted, and said while it lasts', async () => {
  await withOneHeld(async (agent, release) => {
    await agent.until(({ number }) => number >= 3);
    const [held] = agent.supervisor.statuses;
    assert.match(held?.reason ?? '', /collecting took longer than 0\.08 s/);
    const collection = await agent.next();
    const missed = collection.self?.metrics
      .find(({ name }) => name === 'memwatcher.agent.plugin.collections')
      ?.scalars.find(
        ({ attributes }) =>
          attributes['memwatcher.plugin'] === 'held' &&
          attributes['memwatcher.collection.outcome'] === 'missed',
      );
    assert.equal(missed?.value, collection.number);
    release();
    for (let patience = 0; agent.supervisor.statuses[0]?.state !== 'ok'; patience++) {
      assert.ok(patience < 1000, 'it stays degraded');
      await agent.next();
    }
  });
});
