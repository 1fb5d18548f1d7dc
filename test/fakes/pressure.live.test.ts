/** What pressure counts is what the kernel's own tracer saw: the other tests may rest on it. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { runAlone } from './alone.js';
import { exhausted, UNKILLABLE } from './exhausted.js';
import { MemoryCgroup } from './memory-cgroup.js';
import { failuresOf, PIPE_OF_ORDER, press, pressureMissing } from './pressure.js';
import { NO_PAGE, Tracing } from './tracing.js';

const skip =
  pressureMissing() ?? MemoryCgroup.missing() ?? Tracing.missing('kmem/mm_page_alloc') ?? false;

describe('pressure', { skip }, () => {
  runAlone();

  const traced = (steps: readonly string[]) => {
    const tracing = new Tracing({ events: { 'kmem/mm_page_alloc': NO_PAGE } });
    try {
      const caused = press(steps);
      tracing.stop();
      const pids = new Set(caused.map(({ pid }) => pid));
      return { caused, seen: tracing.read().filter(({ tid }) => pids.has(tid)) };
    } finally {
      tracing.close();
    }
  };

  it('fails as often as it says, in the orders that it says', () => {
    const group = exhausted();
    try {
      const { caused, seen } = traced([
        ...UNKILLABLE,
        'pipes=40',
        group.enter,
        'pipe=7',
        `resize=${PIPE_OF_ORDER[2]}:5`,
      ]);
      assert.equal(failuresOf(caused), 12);
      assert.deepEqual(
        seen.map(({ fields }) => Number(fields.order)),
        [...Array<number>(7).fill(0), ...Array<number>(5).fill(2)],
      );
      for (const { time } of seen) {
        assert.ok(caused.some(({ began, ended }) => time >= began - 1000 && time <= ended + 1000));
      }
    } finally {
      group.remove();
    }
  });

  it('leaves nothing behind', () => {
    const group = exhausted();
    press([...UNKILLABLE, 'pipes=20', group.enter, 'pipe=1']);
    group.remove();
    assert.ok(!existsSync(group.dir));
  });
});
