import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PluginState, PluginStatus } from './plugin.js';
import { StatusVoice } from './status-voice.js';

function voice() {
  const told: string[] = [];
  let now = 0;
  const tell = ({ state, reason }: PluginStatus) =>
    told.push(reason ? `${state}: ${reason}` : state);
  const voice = new StatusVoice(tell, () => now);
  const pass = (seconds: number) => {
    now += seconds * 1000;
    voice.settle();
  };
  const be = (state: PluginState, reason?: string) =>
    voice.changed({ plugin: 'pool', state, reason, strategy: 'only', lacks: [], since: now });
  return { told, pass, be };
}

test('changes that mean something are told at once', () => {
  const { told, pass, be } = voice();
  be('ok');
  pass(10);
  be('degraded', 'the map is full');
  be('degraded', 'the map is full; the ring dropped records');
  pass(10);
  be('stopped');
  assert.deepEqual(told, [
    'ok',
    'degraded: the map is full',
    'degraded: the map is full; the ring dropped records',
    'stopped',
  ]);
});

test('a condition that comes and goes every collection is told once a minute', () => {
  const { told, pass, be } = voice();
  be('ok');
  pass(100);
  for (let rounds = 1; rounds <= 300; rounds++) {
    be('degraded', `${rounds} records were lost`);
    pass(1);
    be('ok');
    pass(1);
  }
  assert.ok(told.length > 10 && told.length <= 2 + 2 * 10, `${told.length} lines`);
  assert.deepEqual(told.slice(0, 3), ['ok', 'degraded: 1 records were lost', 'ok']);
});

test('what lasts is told in the end, whichever way it ends', () => {
  for (const end of ['ok', 'degraded'] as const) {
    const { told, pass, be } = voice();
    for (let rounds = 0; rounds < 5; rounds++) {
      be('ok');
      pass(1);
      be('degraded', 'the map is full');
      pass(1);
    }
    if (end === 'ok') be('ok');
    for (let waits = 0; waits < 10; waits++) pass(10);
    assert.ok(told.at(-1)?.startsWith(end), told.join(', '));
    assert.ok(told.length <= 3, told.join(', '));
  }
});

test('one that is started again is reported at once, however short ago it was ok', () => {
  const { told, pass, be } = voice();
  be('ok');
  pass(1);
  be('stopped');
  be('ok');
  assert.deepEqual(told, ['ok', 'stopped', 'ok']);
});

test('a successor does not report again what was reported', () => {
  const told: string[] = [];
  const first = new StatusVoice(({ state }) => told.push(`first: ${state}`));
  const status = { plugin: 'pool', reason: undefined, strategy: 'only', lacks: [], since: 0 };
  first.changed({ ...status, state: 'ok' });
  const second = first.handOver(({ state }) => told.push(`second: ${state}`));
  second.settle();
  second.changed({ ...status, state: 'ok' });
  second.changed({ ...status, state: 'stopped' });
  assert.deepEqual(told, ['first: ok', 'second: stopped']);
});

test('failing and stopping never wait', () => {
  const { told, be } = voice();
  be('failed', 'refused');
  be('failed', 'refused again');
  be('stopped');
  be('stopped');
  assert.equal(told.length, 4);
});
