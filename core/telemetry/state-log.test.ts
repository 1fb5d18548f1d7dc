import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noOutcome } from './outcome.js';
import type { SignalSettings } from './settings.js';
import { StateLog } from './state-log.js';
import { recordingLogger } from './testing/samples.js';

function stateLog() {
  const logger = recordingLogger();
  let now = 1_800_000_000_000;
  const url = new URL('http://collector:4318/v1/metrics');
  const settings = { exporter: 'default', signal: 'metrics', url } as unknown as SignalSettings;
  const clock = { now: () => now, steady: () => now, wait: () => Promise.resolve() };
  const log = new StateLog({ settings, logger, clock });
  const pass = (seconds: number) => {
    now += seconds * 1000;
  };
  const told = () => logger.lines.map(({ message }) => message.replace(/^.*\) /, ''));
  return {
    pass,
    told,
    fail: () => log.failing('refused', noOutcome()),
    work: () => log.working(noOutcome()),
  };
}

test('a failure is told once, however many tries it lasts', () => {
  const { fail, work, pass, told } = stateLog();
  for (let tries = 0; tries < 100; tries++, pass(10)) fail();
  work();
  assert.deepEqual(told(), ['is failing: refused', 'works again after 1000 s']);
});

test('an endpoint that comes and goes is told once a minute', () => {
  const { fail, work, pass, told } = stateLog();
  for (let rounds = 0; rounds < 30; rounds++, pass(1)) {
    fail();
    pass(1);
    work();
  }
  assert.deepEqual(told(), ['is failing: refused', 'works again after 1 s']);
});

test('an endpoint that fails again at once, and then for good, is not passed over', () => {
  const { fail, work, pass, told } = stateLog();
  fail();
  pass(5);
  work();
  pass(5);
  for (let tries = 0; tries < 20; tries++, pass(10)) fail();
  work();
  assert.deepEqual(told(), [
    'is failing: refused',
    'works again after 5 s',
    'is failing: refused',
    'works again after 200 s',
  ]);
});
