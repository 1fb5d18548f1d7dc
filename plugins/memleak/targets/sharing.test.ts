import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { BpfLink } from '../../../core/bpf/host.js';
import { silentLogger } from '../../../core/logger.js';
import { Links } from './links.js';
import type { PlanOptions } from './plan.js';
import { Sharing } from './sharing.js';

const PLAIN: PlanOptions = { mmap: false, brk: false, functions: {}, throwing: true };
const HIT = 1e-6;

describe('links', () => {
  let sharing: Sharing;
  let hits: number;
  let strategy: string;
  beforeEach(() => {
    hits = 0;
    strategy = 'session';
    const watch = {
      strangerHits: () => hits,
      get strategy() {
        return strategy;
      },
    };
    const cost = () => ({ hit: HIT, steppedHit: 10 * HIT, record: HIT });
    sharing = new Sharing({ watch, allowance: 0.05, cost, logger: silentLogger });
  });

  /** A look a second. */
  const look = (
    from: number,
    to: number,
    groups: readonly PlanOptions[],
    rate = 0,
    stepped = 0,
  ): boolean[] => {
    const shared: boolean[] = [];
    for (let time = from; time < to; time++) {
      hits += rate;
      const all = groups.map((options) => sharing.groupOf(options));
      sharing.weigh(
        time,
        all.map((group) => ({ group, stepped })),
      );
      shared.push(all[0]?.isShared ?? false);
    }
    return shared;
  };

  it('are shared by two for whom the same is probed', () => {
    assert.deepEqual(look(0, 2, [PLAIN]), [false, false]);
    assert.deepEqual(look(2, 4, [PLAIN, { ...PLAIN, mmap: true }]), [false, false]);
    assert.deepEqual(look(4, 6, [PLAIN, { ...PLAIN }]), [true, true]);
  });

  it('are each target’s own again a minute after it is the only one', () => {
    look(0, 5, [PLAIN, PLAIN]);
    const alone = look(5, 100, [PLAIN]);
    assert.equal(alone.indexOf(false), 60);
  });

  it('cost others more where the kernel steps through what they hit', () => {
    assert.ok(!look(0, 20, [PLAIN, PLAIN], 20_000).includes(false));
    assert.ok(look(20, 40, [PLAIN, PLAIN], 20_000, 1).includes(false));
  });

  it('are each target’s own where others pay for it, and tried again later and later', () => {
    const shared = look(0, 5000, [PLAIN, PLAIN], 100_000);
    const tries = shared.flatMap((one, n) => (one && !shared[n - 1] ? [n] : []));
    assert.equal(tries[0], 0);
    assert.ok(shared.indexOf(false) <= 3);
    const pauses = tries.slice(1).map((at, n) => at - Number(tries[n]));
    assert.ok(Number(pauses[0]) >= 600 && Number(pauses[1]) >= 1200, `${pauses}`);
  });

  it('stay shared where others pay a little', () => {
    assert.ok(look(0, 100, [PLAIN, PLAIN], 10_000).every((one) => one));
  });

  it('are shared by sessions alone: others would put something on everybody’s stack', () => {
    for (const other of ['multi', 'perf']) {
      strategy = other;
      assert.ok(look(0, 10, [PLAIN, PLAIN]).every((one) => !one));
    }
  });

  it('of a group are one a file, which goes with its last user', () => {
    const open = new Set<string>();
    const link = (name: string): BpfLink => {
      open.add(name);
      return { program: name, readAll: () => assert.fail(), close: () => open.delete(name) };
    };
    const links = new Links({
      attach: ({ pid }, { path }) => link(`${pid} ${path}`),
      attachShared: (group, { path }) => link(`group ${group} ${path}`),
    });
    const process = (pid: number) => ({ pid, startTime: 1 });
    const file = (path: string) => ({ path, sites: [] });
    const own = links.attach(process(1), 0, 'v1', file('libc'));
    const first = links.attach(process(2), 4, 'v1', file('libc'));
    const second = links.attach(process(3), 4, 'v1', file('libc'));
    const other = links.attach(process(3), 5, 'v1', file('libc'));
    assert.deepEqual([...open], ['1 libc', 'group 4 libc', 'group 5 libc']);
    first.close();
    first.close();
    assert.equal(open.size, 3, 'each gives it back once');
    second.close();
    other.close();
    own.close();
    assert.equal(open.size, 0);
  });
});
