import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BudgetConfig } from './account.js';
import { Budget } from './budget.js';
import { FIRST_INTERVAL, LAST_INTERVAL } from './sampling.js';
import { TURN } from './turns.js';

const COST = { hit: 1e-6, steppedHit: 10e-6, record: 3e-6 };
const CONFIG: BudgetConfig = { budget: 0.05, limit: 0.5, sampling: 0 };

/** A process that allocates: what its probes do at a sampling interval. */
interface Program {
  readonly key: string;
  /** Allocations a second, each freed, by the second. */
  readonly rate: (time: number) => number;
  readonly size?: number;
  readonly stepped?: number;
}

interface Step {
  readonly time: number;
  /** The longest interval, and each program's. */
  readonly sampling: number;
  readonly samplings: readonly number[];
  readonly followed: readonly string[];
  /** Share of a CPU that the second before cost. */
  readonly cost: number;
  readonly said: string | undefined;
}

/** Runs programs for a time, a decision a second; they obey it. */
function run(programs: readonly Program[], seconds: number, config: Partial<BudgetConfig> = {}) {
  const budget = new Budget({ ...CONFIG, ...config }, () => COST);
  const followed = new Set(programs.map(({ key }) => key));
  const steps: Step[] = [];
  for (let time = 0; time <= seconds; time++) {
    const loads = programs
      .filter(({ key }) => followed.has(key))
      .map(({ key, rate, size = 100, stepped = 0 }) => {
        const allocations = rate(time);
        const interval = budget.samplingOf(key);
        const sampled = interval === 0 ? 1 : 1 - Math.exp(-size / interval);
        return { key, name: key, hits: 2 * allocations, recorded: allocations * sampled, stepped };
      });
    const decision = budget.decide(time, loads);
    for (const key of decision.leave.keys()) followed.delete(key);
    for (const key of decision.resume) followed.add(key);
    const samplings = programs.map(({ key }) => budget.samplingOf(key));
    const sampling = Math.max(...samplings);
    const cost = loads.reduce((sum, { hits, recorded, stepped }) => {
      const hit = stepped > 0 ? COST.steppedHit : COST.hit;
      return sum + hits * hit + recorded * COST.record;
    }, 0);
    steps.push({ time, sampling, samplings, followed: [...followed], cost, said: decision.said });
  }
  return steps;
}

const last = (steps: readonly Step[]) => steps.at(-1) as Step;
const said = (steps: readonly Step[]) => steps.filter((step) => step.said !== undefined);

describe('sampling', () => {
  it('stays where the load is small', () => {
    const steps = run([{ key: 'a', rate: () => 5000 }], 600);
    assert.deepEqual(said(steps), []);
    assert.equal(last(steps).sampling, 0);
  });

  it('rises above the budget, and no further than it helps', () => {
    const steps = run([{ key: 'a', rate: () => 20_000 }], 600);
    assert.equal(last(steps).sampling, FIRST_INTERVAL);
    assert.deepEqual(last(steps).followed, ['a']);
    assert.match(
      said(steps)[0]?.said ?? '',
      /of a CPU, above the budget of 5.0 %: one sample in 1 KiB/,
    );
    assert.equal(said(steps).length, 1);
  });

  it('is not changed by a burst of a second', () => {
    const steps = run([{ key: 'a', rate: (time) => (time === 100 ? 20_000 : 100) }], 600);
    assert.deepEqual(said(steps), []);
  });

  it('rises step by step where large allocations are recorded still', () => {
    const steps = run([{ key: 'a', rate: () => 15_000, size: 1 << 20 }], 600);
    const intervals = [...new Set(steps.map(({ sampling }) => sampling))];
    assert.deepEqual(intervals.slice(0, 3), [0, FIRST_INTERVAL, 2 * FIRST_INTERVAL]);
    assert.ok(last(steps).sampling <= LAST_INTERVAL);
  });

  it('comes back when the load falls, after a while', () => {
    const steps = run([{ key: 'a', rate: (time) => (time < 100 ? 20_000 : 500) }], 400);
    assert.equal(last(steps).sampling, 0);
    const back = steps.find(({ time, sampling }) => time > 100 && sampling === 0);
    assert.ok(back && back.time >= 130 && back.time < 200, `at ${back?.time}`);
  });

  it('does not swing: a steady load changes it once', () => {
    for (let rate = 1000; rate < 100_000; rate *= 1.2) {
      for (const size of [16, 1000, 100_000]) {
        const steps = run([{ key: 'a', rate: () => rate, size }], 1200, { limit: 0 });
        const rises = steps.filter(({ sampling }, n) => sampling > (steps[n - 1]?.sampling ?? 0));
        const falls = steps.filter(({ sampling }, n) => sampling < (steps[n - 1]?.sampling ?? 0));
        assert.equal(falls.length, 0, `${rate} of ${size}: ${rises.length} up`);
      }
    }
  });

  it('begins where it is configured, and comes back to that', () => {
    const sampling = 1 << 20;
    const calm = run([{ key: 'a', rate: () => 100 }], 100, { sampling });
    assert.equal(last(calm).sampling, sampling);
    const steps = run(
      [{ key: 'a', rate: (time) => (time < 100 ? 15_000 : 10), size: 1 << 21 }],
      900,
      { sampling },
    );
    assert.ok(steps.some((step) => step.sampling > sampling));
    assert.ok(steps.every((step) => step.sampling >= sampling));
    assert.equal(last(steps).sampling, sampling);
  });

  it('is each target’s: who is hot does not blind the others', () => {
    const steps = run(
      [
        { key: 'quiet', rate: () => 500 },
        { key: 'hot', rate: () => 25_000 },
      ],
      300,
    );
    const [quiet, hot] = last(steps).samplings;
    assert.equal(quiet, 0);
    assert.ok(Number(hot) >= FIRST_INTERVAL);
    assert.match(said(steps)[0]?.said ?? '', /of hot from now on/);
  });

  it('of many that are alike rises together, as of one', () => {
    const programs = Array.from({ length: 12 }, (_, n) => ({ key: `${n}`, rate: () => 2000 }));
    const steps = run(programs, 100);
    assert.ok(last(steps).samplings.every((one) => one >= FIRST_INTERVAL));
    assert.equal(last(steps).followed.length, 12);
  });

  it('never changes without a budget', () => {
    const steps = run([{ key: 'a', rate: () => 10_000_000 }], 100, { budget: 0, limit: 0 });
    assert.deepEqual(said(steps), []);
  });
});

describe('a target', () => {
  it('is left where the bare hits are above the limit, the costliest first', () => {
    const steps = run(
      [
        { key: 'small', rate: () => 1000 },
        { key: 'tight loop', rate: () => 1_000_000 },
      ],
      30,
    );
    assert.deepEqual(last(steps).followed, ['small']);
    assert.ok(said(steps).some((step) => /^tight loop is left for 60 s: /.test(step.said ?? '')));
  });

  it('is left within two seconds where the probes take nearly all of its time', () => {
    const steps = run([{ key: 'a', rate: (time) => (time < 60 ? 100 : 480_000) }], 70);
    const left = steps.find(({ followed }) => followed.length === 0);
    assert.equal(left?.time, 61);
  });

  it('is not left as long as sampling may do', () => {
    const steps = run([{ key: 'a', rate: () => 150_000 }], TURN - 1);
    assert.deepEqual(last(steps).followed, ['a']);
    assert.equal(last(steps).sampling, FIRST_INTERVAL);
    assert.match(said(steps)[0]?.said ?? '', /above the limit of 50.0 %: one sample in 1 KiB/);
  });

  it('comes back, and is left for longer each time', () => {
    const steps = run([{ key: 'a', rate: () => 2_000_000 }], 1000);
    const left = said(steps).flatMap((step) => /left for (\d+) s/.exec(step.said ?? '')?.[1] ?? []);
    assert.deepEqual(left, ['60', '120', '240', '480', '960'].slice(0, left.length));
    assert.ok(left.length >= 4);
    assert.ok(said(steps).some((step) => step.said?.includes('a is followed again')));
  });

  it('stays when it is calm after it came back', () => {
    const steps = run([{ key: 'a', rate: (time) => (time < 30 ? 2_000_000 : 100) }], 300);
    assert.deepEqual(last(steps).followed, ['a']);
    assert.equal(said(steps).filter((step) => step.said?.includes('left for')).length, 1);
    assert.equal(last(steps).sampling, 0);
  });

  it('costs more where its functions are single-stepped', () => {
    const steps = run([{ key: 'a', rate: () => 50_000, stepped: 1 }], 30);
    assert.deepEqual(last(steps).followed, []);
  });

  it('that is forgotten counts no more', () => {
    const budget = new Budget(CONFIG, () => COST);
    budget.decide(0, []);
    const load = { key: 'a', name: 'a', hits: 1e7, recorded: 0, stepped: 0 };
    for (let time = 1; budget.decide(time, [load]).leave.size === 0; time++) assert.ok(time < 9);
    budget.forget('a');
    assert.equal(budget.leftUntil('a'), undefined);
    assert.deepEqual(budget.decide(1000, []).resume, []);
  });
});

/** Share of one CPU that all of it cost from a time on, on average. */
function average(steps: readonly Step[], from: number): number {
  const costs = steps.filter(({ time }) => time > from).map(({ cost }) => cost);
  return costs.reduce((sum, cost) => sum + cost, 0) / costs.length;
}

describe('turns', () => {
  const { budget } = CONFIG;

  it('hold the budget where sampling cannot, whatever the load', () => {
    for (let rate = 10_000; rate < 240_000; rate *= 1.15) {
      for (const size of [16, 200, 100_000]) {
        const mean = average(run([{ key: 'a', rate: () => rate, size }], 4000), 100);
        assert.ok(mean <= 1.5 * budget, `${rate} of ${size}: ${mean}`);
      }
    }
  });

  it('record everything while they last, as far as the limit lets them', () => {
    const steps = run([{ key: 'a', rate: () => 50_000 }], 600);
    const traced = steps.filter(({ followed }) => followed.length > 0);
    assert.ok(traced.every(({ sampling }) => sampling === 0));
    assert.ok(traced.length >= 3 * TURN, `${traced.length} s`);
    assert.match(
      said(steps)[0]?.said ?? '',
      /^a is traced in turns, now paused for \d+ s: its probes take 2\d\.\d % of a CPU, above the budget of 5\.0 %/,
    );
  });

  it('are the hot one’s alone', () => {
    const steps = run(
      [
        { key: 'quiet', rate: () => 1000 },
        { key: 'hot', rate: () => 100_000 },
      ],
      1000,
    );
    assert.ok(steps.every(({ followed }) => followed.includes('quiet')));
    assert.ok(steps.every(({ samplings }) => samplings[0] === 0));
    assert.ok(steps.some(({ followed }) => !followed.includes('hot')));
  });

  it('share the budget where there are many', () => {
    const programs = Array.from({ length: 10 }, (_, n) => ({ key: `${n}`, rate: () => 8000 + n }));
    const steps = run(programs, 6000);
    const mean = average(steps, 200);
    assert.ok(mean <= 1.5 * budget, `${mean}`);
    for (const { key } of programs) {
      const seconds = steps.filter(({ followed }) => followed.includes(key)).length;
      assert.ok(seconds >= 3 * TURN, `${key}: ${seconds} s`);
    }
  });

  it('end when the load falls', () => {
    const steps = run([{ key: 'a', rate: (time) => (time < 100 ? 100_000 : 5000) }], 600);
    const paused = steps.filter(({ time, followed }) => time > 300 && followed.length === 0);
    assert.deepEqual(paused, []);
  });

  it('do not begin for a burst', () => {
    const rate = (time: number) => (time % 60 < 5 ? 60_000 : 500);
    const steps = run([{ key: 'a', rate }], 600);
    assert.ok(steps.every(({ followed }) => followed.length === 1));
  });
});
