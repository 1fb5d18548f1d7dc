import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Scope } from './scope.js';

test('a scope releases in reverse order, once, however often it is closed', async () => {
  const scope = new Scope();
  const released: string[] = [];
  scope.use({ close: () => void released.push('first') });
  scope.defer(async () => {
    await Promise.resolve();
    released.push('second');
  });
  await Promise.all([scope.close(), scope.close()]);
  await scope.close();
  assert.deepEqual(released, ['second', 'first']);
});

test('a release that throws does not keep the others from running, and is told', async () => {
  const scope = new Scope();
  let released = false;
  scope.defer(() => {
    released = true;
  });
  scope.defer(() => {
    throw new Error('stuck');
  });
  await assert.rejects(scope.close(), (error: AggregateError) => {
    assert.equal(error.errors.length, 1);
    return true;
  });
  assert.ok(released);
});

test('what is acquired after the scope was closed is released at once', async () => {
  const scope = new Scope();
  await scope.close();
  const released: string[] = [];
  const late = { close: () => void released.push('late') };
  assert.throws(() => scope.use(late), { code: 'SCOPE_CLOSED' });
  assert.deepEqual(released, ['late']);
});

test('a child closes with its parent, and may close before', async () => {
  const parent = new Scope();
  const released: string[] = [];
  const early = parent.child();
  early.defer(() => void released.push('early'));
  parent.child().defer(() => void released.push('late'));
  await early.close();
  await parent.close();
  assert.deepEqual(released, ['early', 'late']);
});
