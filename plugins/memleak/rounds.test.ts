import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { MonotonicClock } from '../../core/identity/monotonic-clock.js';
import type { ProcessMap, Symbolizer } from '../../core/symbolize/symbolizer.js';
import type { Emitter } from '../../core/telemetry/events.js';
import type { Change, Judge } from './judge/judge.js';
import { Ledger } from './ledger.js';
import type { MemleakMetadata } from './metadata.js';
import type { Judgement, Reading, State } from './model.js';
import { Naming } from './naming.js';
import { fakeTarget } from './output/fake.js';
import { Rounds } from './rounds.js';
import type { Source, SourceAccount } from './sources.js';

const MODULE = {
  start: 0x1000n,
  end: 0x2000n,
  fileOffset: 0n,
  path: '/usr/bin/shop',
  deleted: false,
  device: 'fe:01',
  inode: 12,
  buildId: 'abcd',
};
const MAP: ProcessMap = {
  pid: 7,
  modules: [MODULE],
  cut: false,
  startTicks: 1,
  innerPid: 7,
  user: 0,
  find: (address) => (address >= MODULE.start && address < MODULE.end ? MODULE : undefined),
};

const reading = (key: string, bytes: number): Reading => ({
  source: { kind: 'process', pid: 7, startTime: 1 },
  key,
  frames: [0x1100n + BigInt(key.charCodeAt(0)), 0x1200n],
  depth: 'end',
  bytes,
  allocations: bytes / 8,
  bytesError: 0,
  allocatedBytes: bytes,
  allocatedCount: bytes / 8,
  freedBytes: 0,
  freedCount: 0,
  firstSeen: 0,
});

const judgement = (state: State): Judgement => ({
  state,
  ...(state === 'confirmed' && { class: 'leak' as const, confidence: 0.9 }),
  coverage: 1,
  since: 1000,
  reason: 'told so',
});

/** Everything about it is said by the test. */
class Stage implements Source, Judge {
  accounts: readonly SourceAccount[] = [];
  readonly states = new Map<string, State>();
  changes: Change[] = [];
  readonly lookedAtAges: boolean[] = [];

  read(ages: boolean) {
    this.lookedAtAges.push(ages);
    return this.accounts;
  }
  observe({ key }: Reading) {
    if (!this.states.has(key)) this.states.set(key, 'watching');
  }
  conclude() {
    return this.changes.splice(0);
  }
  judgement(key: string) {
    const state = this.states.get(key);
    return state && judgement(state);
  }
  forget(key: string) {
    this.states.delete(key);
  }
  pause(key: string) {
    this.forget(key);
  }
  becomes(key: string, state: State) {
    const before = judgement(this.states.get(key) ?? 'watching');
    this.states.set(key, state);
    this.changes.push({ key, before, after: judgement(state) });
  }
}

const account = (readings: readonly Reading[], ended = false): SourceAccount => ({
  id: '7:1',
  target: fakeTarget({ bytes: readings.reduce((sum, { bytes }) => sum + bytes, 0) }),
  readings,
  map: MAP,
  ended,
});

const symbolizer: Symbolizer = {
  readMap: () => MAP,
  symbolize: async (_, addresses) =>
    new Map(
      addresses.map((address) => [
        address,
        [{ address, inlined: false, function: `f${address.toString(16)}` }],
      ]),
    ),
  statistics: { cached: 0, unresolved: 3, restarts: 1 },
  close: () => undefined,
};

describe('rounds', () => {
  let stage: Stage;
  let rounds: Rounds;
  let events: { body: string; attributes: Readonly<Record<string, unknown>>; severity?: string }[];
  beforeEach(() => {
    stage = new Stage();
    events = [];
    const emitter: Emitter<MemleakMetadata> = {
      event: (_, body, attributes, options) =>
        void events.push({
          body,
          attributes,
          ...(options?.severity && { severity: options.severity }),
        }),
      span: () => undefined,
    };
    rounds = new Rounds({
      sources: [stage],
      ledger: new Ledger(stage, 3600),
      naming: new Naming(symbolizer, undefined),
      emitter,
      clock: new MonotonicClock(),
      top: 2,
      agesEvery: 3600,
    });
  });

  it('name the largest and those that are accused, and say how many are left out', async () => {
    stage.accounts = [
      account([reading('a', 800), reading('b', 8), reading('c', 80), reading('d', 400)]),
    ];
    stage.states.set('b', 'suspected');
    const { stacks, omitted, states, symbolizer: names } = await rounds.take();
    assert.deepEqual(
      stacks.map(({ reading: { key }, frames }) => [key, frames[0]?.function]),
      [
        ['a', 'f1161'],
        ['b', 'f1162'],
      ],
    );
    assert.equal(omitted, 2);
    assert.deepEqual(
      states.map(({ state, count }) => [state, count]),
      [
        ['watching', 3],
        ['suspected', 1],
      ],
    );
    assert.deepEqual(names, { cached: 0, unresolved: 3, restarts: 1 });
  });

  it('tell each change of state once, with the stack and who it is', async () => {
    stage.accounts = [account([reading('a', 800)])];
    await rounds.take();
    stage.becomes('a', 'confirmed');
    const { stacks } = await rounds.take();
    await rounds.take();
    const [event, ...others] = events;
    assert.deepEqual(others, []);
    assert.equal(event?.severity, 'WARN');
    assert.equal(event?.attributes['memwatcher.memory_leak.previous_state'], 'watching');
    assert.equal(event?.attributes['memwatcher.memory_leak.state'], 'confirmed');
    assert.equal(event?.attributes['memwatcher.allocation.stack.id'], stacks[0]?.id);
    assert.match(String(event?.attributes['code.stacktrace']), /f1161.*\n.*f1200/);
    assert.equal(event?.attributes['process.pid'], fakeTarget().attributes['process.pid']);
    assert.match(event?.body ?? '', /^f1161: confirmed/);
  });

  it('keep what an ended process held last, for the report, and judge it no longer', async () => {
    stage.accounts = [account([reading('a', 800)], true)];
    await rounds.take();
    assert.equal(stage.states.size, 0);
    stage.accounts = [];
    const { targets, stacks, states } = await rounds.take();
    assert.deepEqual(states, [{ state: 'watching', count: 1, ended: true }]);
    assert.deepEqual(
      targets.map(({ ended }) => ended),
      [true],
    );
    assert.deepEqual(
      stacks.map(({ reading: { key }, frames }) => [key, frames.length]),
      [['a', 2]],
    );
  });

  it('keep what was held by who is left for its cost, until it is watched again', async () => {
    stage.accounts = [account([reading('a', 800)])];
    await rounds.take();
    const reason = 'it costs too much';
    const left: SourceAccount = {
      ...account([]),
      target: fakeTarget({ bytes: 0, reason }),
      isPaused: true,
    };
    stage.accounts = [left];
    for (let round = 0; round < 2; round++) {
      const { targets, stacks } = await rounds.take();
      assert.deepEqual(
        targets.map((one) => [one.bytes, one.reason, one.paused]),
        [[800, reason, true]],
      );
      assert.deepEqual(
        stacks.map(({ reading: { key } }) => key),
        ['a'],
      );
    }
    stage.accounts = [account([reading('b', 80)])];
    const { targets, stacks } = await rounds.take();
    assert.deepEqual(
      targets.map((one) => [one.bytes, one.paused]),
      [[80, undefined]],
    );
    assert.deepEqual(
      stacks.map(({ reading: { key } }) => key),
      ['b'],
    );
  });

  it('leave no room that the living need to those that have gone', async () => {
    stage.accounts = [{ ...account([reading('z', 8000), reading('y', 8000)], true), id: 'gone' }];
    await rounds.take();
    stage.accounts = [account([reading('a', 8), reading('b', 80)])];
    const { stacks, omitted } = await rounds.take();
    assert.deepEqual(
      stacks.map(({ reading: { key } }) => key),
      ['b', 'a'],
    );
    assert.equal(omitted, 2);
  });

  it('look at ages only so often', async () => {
    stage.accounts = [account([reading('a', 8)])];
    await rounds.take();
    await rounds.take();
    assert.deepEqual(stage.lookedAtAges, [true, false]);
  });

  it('of many that have ended keep the last ones', async () => {
    for (let n = 0; n < 40; n++) {
      stage.accounts = [{ ...account([reading(`a${n}`, 8)], true), id: `${n}` }];
      await rounds.take();
    }
    stage.accounts = [];
    const { targets, stacks, omitted } = await rounds.take();
    assert.equal(targets.length, 16);
    assert.equal(stacks.length + omitted, 16);
  });
});
