import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everyTick } from './ticks.js';

test('tasks of one interval are called together, each until it is called off', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const called: string[] = [];
  const task = (name: string) => () => void called.push(name);
  const endA = everyTick(100, task('a'));
  t.mock.timers.tick(50);
  const endB = everyTick(100, task('b'));
  const endSlow = everyTick(250, task('slow'));
  t.mock.timers.tick(50);
  assert.deepEqual(called.splice(0), ['a', 'b']);
  endA();
  endA();
  t.mock.timers.tick(200);
  assert.deepEqual(called.splice(0), ['b', 'b', 'slow']);
  endB();
  endSlow();
  t.mock.timers.tick(1000);
  assert.deepEqual(called, []);
  const end = everyTick(100, task('again'));
  t.mock.timers.tick(100);
  assert.deepEqual(called, ['again']);
  end();
});
