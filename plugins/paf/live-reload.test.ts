/** A reload while allocations fail: the real plugin, supervisor and OTLP exporter. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Foundation } from '../../core/compose.js';
import { Supervised } from '../../core/testing/supervised.js';
import { buildWith } from '../../test/conformance/harness.js';
import { runAlone } from '../../test/fakes/alone.js';
import { PINNED, withExhausted } from '../../test/fakes/exhausted.js';
import { MemoryCgroup } from '../../test/fakes/memory-cgroup.js';
import { failuresOf, press, pressureMissing } from '../../test/fakes/pressure.js';
import { paf } from './index.js';

const skip = pressureMissing() ?? MemoryCgroup.missing() ?? false;

const raw = (window: string) => ({
  interval: '200ms',
  start_timeout: '5m',
  shutdown_timeout: '2m',
  plugins: { paf: { window } },
});

describe('a reload of paf on the running kernel', { skip, timeout: 600_000 }, () => {
  runAlone();

  it('reports each failure once, whichever instance saw it', () =>
    withExhausted(async (group) => {
      const pids = new Set<number>();
      const fail = (times: number) => {
        const processes = press([...PINNED, 'pipes=40', group.enter, `pipe=${times}`]);
        for (const { pid } of processes) pids.add(pid);
        assert.equal(failuresOf(processes), times);
      };
      let whileBothRun = () => {};
      const build: Foundation['build'] = (...given) => {
        const plugin = buildWith(...given);
        const start = async () => {
          await plugin.start();
          whileBothRun();
        };
        return { start, collect: () => plugin.collect(), settle: () => plugin.settle?.() };
      };
      const agent = await Supervised.of([paf], build, { raw: raw('100ms') });
      try {
        await agent.supervisor.start(agent.config(raw('100ms')));
        assert.deepEqual(
          agent.supervisor.statuses.map(({ state, reason }) => [state, reason]),
          [['ok', undefined]],
        );
        fail(7);
        whileBothRun = () => fail(5);
        assert.equal(await agent.reload(raw('150ms')), true, agent.lines.join(''));
        fail(3);
      } finally {
        await agent.close();
      }
      // One event may stand for failures of several processes.
      const reported = agent.events
        .filter(({ event }) => event === 'memwatcher.page_allocation.failure')
        .filter(({ attributes }) => pids.has(Number(attributes['process.pid'])))
        .map(({ attributes }) => Number(attributes['memwatcher.page_allocation.failure.count']));
      assert.equal(
        reported.reduce((sum, count) => sum + count, 0),
        7 + 5 + 3,
        `${reported}`,
      );
    }));
});
