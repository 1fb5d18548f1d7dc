import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PluginStatus } from './plugin.js';
import { StatusKeeper } from './status.js';

function keeper() {
  const changes: PluginStatus[] = [];
  return { changes, status: new StatusKeeper('probe', (change) => changes.push(change)) };
}

test('a condition that is raised again is one change', () => {
  const { changes, status } = keeper();
  status.running();
  for (let i = 0; i < 100; i++) status.degraded('ring', 'the ring dropped records');
  assert.deepEqual(
    changes.map((change) => change.state),
    ['ok', 'degraded'],
  );
});

test('a condition whose figures move is one change, and its latest words are in the status', () => {
  const { changes, status } = keeper();
  status.running();
  for (let i = 1; i <= 100; i++) status.degraded('map', `${i} processes are not followed`);
  assert.deepEqual(
    changes.map(({ reason }) => reason),
    [undefined, '1 processes are not followed'],
  );
  assert.equal(status.current.reason, '100 processes are not followed');
  assert.equal(status.current.since, changes[1]?.since);
  status.degraded('map', 'the map is full');
  assert.equal(changes.at(-1)?.reason, 'the map is full');
});

test('ok again only when no condition holds', () => {
  const { status } = keeper();
  status.running();
  status.degraded('ring', 'the ring dropped records');
  status.degraded('map', 'the map is full');
  assert.equal(status.current.reason, 'the ring dropped records; the map is full');
  status.clear('ring');
  assert.equal(status.current.state, 'degraded');
  status.clear('map');
  assert.equal(status.current.state, 'ok');
  assert.equal(status.current.reason, undefined);
});

test('a condition raised while starting is heard once the plugin runs', () => {
  const { status } = keeper();
  status.degraded('field', 'this kernel has no such field');
  assert.equal(status.current.state, 'starting');
  status.running();
  assert.equal(status.current.state, 'degraded');
});

test('what a plugin lacks stands beside what its parts lack', () => {
  const { status } = keeper();
  status.usesStrategy('plain', ['a hook']);
  status.lacks(['names']);
  assert.deepEqual(status.current.lacks, ['a hook', 'names']);
  status.lacks(['a hook']);
  assert.deepEqual(status.current.lacks, ['a hook']);
});
