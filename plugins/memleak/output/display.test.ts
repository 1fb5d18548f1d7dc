import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PluginStatus } from '../../../core/plugin.js';
import { FakeWorld } from '../../../test/fakes/cli.js';
import { type Display, displayFor } from './display.js';
import { fakeSnapshot } from './fake.js';
import { planOf } from './options.js';

interface Shown {
  readonly display: Display;
  readonly world: FakeWorld;
  readonly reports: string[];
}

function shown(
  options: Readonly<Record<string, unknown>>,
  terminals: readonly string[] = [],
): Shown {
  const world = new FakeWorld('/');
  world.stdout.isTTY = terminals.includes('stdout');
  world.stderr.isTTY = terminals.includes('stderr');
  const reports: string[] = [];
  const destination = {
    write: (data: string | Uint8Array) => void reports.push(String(data)),
    close: () => undefined,
  };
  return { display: displayFor(planOf(options), world.context, destination), world, reports };
}

const snapshot = fakeSnapshot();
const at = (seconds: number, status?: PluginStatus) => ({
  elapsed: seconds * 1000,
  snapshot,
  status,
});

test('off a terminal: a line of progress every ten seconds at most', () => {
  const { display, world } = shown({ duration: '60s', format: 'svg' });
  for (let second = 0; second < 35; second++) display.show(at(second));
  display.close();
  assert.deepEqual(world.stderr.text.match(/\d+ s of 60 s/g), [
    '10 s of 60 s',
    '20 s of 60 s',
    '30 s of 60 s',
  ]);
  assert.equal(world.stdout.text, '');
});

test('on a terminal: one line that is written over and gone in the end', () => {
  const { display, world } = shown({ duration: '60s', format: 'svg' }, ['stdout', 'stderr']);
  display.show(at(1));
  display.show(at(2));
  display.close();
  const lines = world.stderr.text.split('\r\x1b[K');
  assert.equal(lines.length, 4);
  assert.match(lines[2] ?? '', /^2 s of 60 s, window 5 s, 1\.2 M allocations/);
  assert.equal(lines[3], '');
});

test('--live: a report when one is due, the last is not its own', () => {
  const options = { duration: '20s', interval: '5s', live: true, format: 'original' };
  const { display, reports } = shown(options);
  for (let second = 0; second <= 20; second++) display.show(at(second));
  display.close();
  assert.equal(reports.length, 3, 'at 5, 10 and 15 s');
  assert.match(reports[0] ?? '', /^stack_id=0x00000000000000c2 with/);
});

test('what the plugin lacks is said once, made harmless', () => {
  const status: PluginStatus = {
    plugin: 'memleak',
    state: 'degraded',
    reason: 'evil\x1b[31m (42) cannot be followed',
    strategy: undefined,
    lacks: [],
    since: 0,
  };
  const { display, world } = shown({ duration: '60s', format: 'json' });
  display.show(at(1, status));
  display.show(at(2, status));
  assert.equal(world.stderr.text, 'memleak: evil\\x1b[31m (42) cannot be followed\n');
});
