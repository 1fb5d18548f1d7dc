/** When series began, as the whole agent sends it: clocks that are set, restarts, processes that go. */
import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import type { Collection } from './agent.js';
import { ProcessTable, processModule, processPlugin } from './testing/process-table.js';
import { Supervised, type SupervisedOptions } from './testing/supervised.js';

const FAULTS = 'memwatcher.processes.faults';
const SERIES = 'memwatcher.agent.export.delta.series';
const HOUR = 3_600_000;

const wall = Date.now;
afterEach(() => {
  Date.now = wall;
});

const agents: Supervised[] = [];
after(async () => {
  for (const agent of agents) await agent.close();
});

async function running(table: ProcessTable, options: SupervisedOptions = {}): Promise<Supervised> {
  const agent = await Supervised.of([processModule], () => processPlugin(table), options);
  agents.push(agent);
  await agent.supervisor.start(agent.config());
  await agent.next();
  return agent;
}

const ofProcess = (agent: Supervised, pid: number) =>
  agent.points(FAULTS).filter(({ series }) => series === `process.pid=${pid}`);
const total = (agent: Supervised, pid: number) =>
  ofProcess(agent, pid).reduce((sum, { value }) => sum + value, 0);

for (const [name, step] of Object.entries({ forward: HOUR, back: -HOUR })) {
  test(`a clock that is set ${name} by an hour sends nothing twice, and withholds nothing`, async () => {
    const table = new ProcessTable();
    table.fault(7, 1_000_000);
    const agent = await running(table);
    table.fault(8, 100);
    await agent.next();
    Date.now = () => wall() + step;
    await agent.next();
    table.fault(9, 30);
    table.hidden.add(7).add(8);
    await agent.next();
    await agent.next();
    table.hidden.clear();
    await agent.next();
    table.fault(7, 5);
    table.fault(8, 5);
    table.fault(9, 5);
    await agent.next();
    await agent.supervisor.stop();
    assert.deepEqual(
      [7, 8, 9].map((pid) => total(agent, pid)),
      [5, 105, 35],
    );
    const backwards = agent.points(FAULTS).filter(({ start, time }) => start > time);
    assert.deepEqual(backwards, []);
  });
}

test('a process has one start, before and after a restart of the agent', async () => {
  const table = new ProcessTable();
  table.fault(7, 10);
  const starts: bigint[] = [];
  for (let life = 0; life < 2; life++) {
    const agent = await running(table, { temporality: 'cumulative' });
    await agent.supervisor.stop();
    starts.push(...ofProcess(agent, 7).map(({ start }) => start));
  }
  assert.ok(starts.length >= 2);
  assert.equal(new Set(starts).size, 1, `${starts}`);
});

test('processes that come and go leave nothing in the memory of the delta export', async () => {
  const table = new ProcessTable();
  const agent = await running(table);
  for (let pid = 100; pid < 2100; pid++) {
    table.fault(pid);
    table.exit(pid - 10);
    if (pid % 200 === 0) await agent.next();
  }
  // 10 processes, and two counters of the plugin itself. What is said of an export comes with a later one.
  const held = ({ self }: Collection) =>
    self?.metrics
      .find(({ name }) => name === SERIES)
      ?.scalars.find(({ attributes }) => attributes['memwatcher.plugin'] === 'processes')?.value;
  for (let patience = 0; held(await agent.next()) !== 12; patience++) {
    assert.ok(patience < 100, `${held(await agent.next())} series`);
  }
  assert.ok(total(agent, 2000) >= 1);
});
