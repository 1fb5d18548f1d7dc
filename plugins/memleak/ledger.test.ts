import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Change, Judge } from './judge/judge.js';
import { Ledger } from './ledger.js';
import type { Judgement, Reading, State } from './model.js';

const COVERAGE = { samplingInterval: 0, missedAllocations: 0, missedFrees: 0, recorded: 1 };
const SURROUNDINGS = { coverage: COVERAGE, outstandingBytes: 0 };

const reading = (key: string, bytes: number, more: Partial<Reading> = {}): Reading => ({
  source: { kind: 'process', pid: 7, startTime: 1 },
  key,
  frames: [1n],
  depth: 'end',
  bytes,
  allocations: bytes / 8,
  bytesError: 0,
  allocatedBytes: 800,
  allocatedCount: 100,
  freedBytes: 800 - bytes,
  freedCount: 100 - bytes / 8,
  firstSeen: 0,
  ...more,
});

const judgement = (state: State): Judgement => ({
  state,
  coverage: 1,
  since: 0,
  reason: 'told so',
});

/** Holds of each stack what the test says, and remembers what it was told. */
class ToldJudge implements Judge {
  readonly observed: string[] = [];
  readonly forgotten: string[] = [];
  readonly paused: string[] = [];
  readonly states = new Map<string, State>();
  changes: readonly Change[] = [];

  observe({ key }: Reading): void {
    this.observed.push(key);
    if (!this.states.has(key)) this.states.set(key, 'watching');
  }

  conclude(): readonly Change[] {
    return this.changes;
  }

  judgement(key: string): Judgement | undefined {
    const state = this.states.get(key);
    return state && judgement(state);
  }

  forget(key: string): void {
    this.forgotten.push(key);
    this.states.delete(key);
  }

  pause(key: string): void {
    this.paused.push(key);
    this.forget(key);
  }
}

describe('the ledger', () => {
  let judge: ToldJudge;
  let ledger: Ledger;
  let time: number;
  beforeEach(() => {
    judge = new ToldJudge();
    ledger = new Ledger(judge, 100);
    time = 0;
  });
  const round = (...readings: readonly Reading[]) =>
    ledger.take([{ id: 'one', readings, surroundings: SURROUNDINGS }], ++time, time * 1000);
  const keys = () => ledger.outstanding.map(({ reading: { key } }) => key);

  it('has what is outstanding, the largest first', () => {
    round(reading('a', 8), reading('b', 80), reading('c', 16));
    assert.deepEqual(keys(), ['b', 'c', 'a']);
  });

  it('forgets without a verdict what is left out while it holds something', () => {
    round(reading('a', 8), reading('b', 80));
    judge.observed.length = 0;
    judge.changes = [{ key: 'b', before: judgement('confirmed'), after: judgement('resolved') }];
    assert.deepEqual(round(reading('a', 8)), []);
    assert.deepEqual([judge.observed, judge.forgotten], [['a'], ['b']]);
    assert.deepEqual(keys(), ['a']);
  });

  it('puts by what is left out while its account is paused', () => {
    round(reading('a', 8));
    const paused = { id: 'one', readings: [], surroundings: SURROUNDINGS, isPaused: true };
    assert.deepEqual(ledger.take([paused], ++time, 0), []);
    assert.deepEqual(judge.paused, ['a']);
    assert.deepEqual(keys(), []);
  });

  it('observes on what holds nothing any more', () => {
    round(reading('a', 8), reading('b', 80));
    round(reading('a', 8), reading('b', 0));
    judge.observed.length = 0;
    round(reading('a', 8));
    assert.deepEqual(keys(), ['a']);
    assert.deepEqual(judge.observed, ['a', 'b']);
    judge.changes = [{ key: 'b', before: judgement('confirmed'), after: judgement('resolved') }];
    const [change] = round(reading('a', 8));
    assert.deepEqual(
      [change?.reading.bytes, change?.reading.freedBytes, change?.reading.freedCount],
      [0, 800, 100],
    );
    assert.deepEqual([change?.before.state, change?.judgement.state], ['confirmed', 'resolved']);
  });

  it('keeps the ages of the last look', () => {
    const ages = { oldest: 3, allocations: [1], bytes: [8] };
    round(reading('a', 8, { ages }));
    round(reading('a', 8));
    assert.equal(ledger.outstanding[0]?.ages, ages);
    round(reading('a', 0));
    round(reading('a', 8));
    assert.equal(ledger.outstanding[0]?.ages, undefined);
  });

  it('forgets what stays empty, but not what something is held against', () => {
    round(reading('a', 8), reading('b', 80), reading('c', 8));
    judge.states.set('b', 'suspected');
    round(reading('a', 0), reading('b', 0), reading('c', 8));
    for (let n = 0; n < 500; n++) round(reading('c', 8));
    assert.deepEqual(judge.forgotten, ['a']);
    judge.states.set('b', 'watching');
    round(reading('c', 8));
    assert.deepEqual(judge.forgotten, ['a', 'b']);
  });

  it('leaves alone who has no account in a round', () => {
    round(reading('a', 8));
    ledger.take([], ++time, 0);
    assert.deepEqual(keys(), ['a']);
  });

  it('gives what an account held last, once', () => {
    const other = { id: 'two', readings: [reading('z', 16)], surroundings: SURROUNDINGS };
    round(reading('a', 8), reading('b', 80));
    ledger.take([other], ++time, 0);
    assert.deepEqual(
      ledger.close('one').map(({ reading: { key } }) => key),
      ['b', 'a'],
    );
    assert.deepEqual(judge.forgotten.toSorted(), ['a', 'b']);
    assert.deepEqual(keys(), ['z']);
    assert.deepEqual(ledger.close('one'), []);
  });
});
