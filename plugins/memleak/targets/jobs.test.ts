import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Job, Jobs } from './jobs.js';

function* steps(done: string[], name: string, count: number) {
  try {
    for (let n = 1; n <= count; n++) {
      done.push(`${name}${n}`);
      yield undefined;
    }
  } finally {
    done.push(`${name} ended`);
  }
}

it('jobs are done in turn, as far as the time goes, and go on later', () => {
  const done: string[] = [];
  const jobs = new Jobs();
  let now = 0;
  jobs.add('a', steps(done, 'a', 2));
  jobs.add('b', steps(done, 'b', 2));
  jobs.run(3, () => now++);
  assert.deepEqual(done, ['a1', 'a2', 'a ended']);
  assert.equal(jobs.size, 1);
  jobs.run(100, () => now++);
  assert.deepEqual(done.slice(3), ['b1', 'b2', 'b ended']);
  assert.equal(jobs.size, 0);
});

it('one step is done, however little time there is', () => {
  const done: string[] = [];
  const jobs = new Jobs();
  jobs.add('a', steps(done, 'a', 2));
  jobs.run(0, () => 0);
  assert.deepEqual(done, ['a1']);
});

it('a job that is called off gives up what it began; one of the same key takes its place', () => {
  const done: string[] = [];
  const jobs = new Jobs();
  jobs.add('a', steps(done, 'old', 5));
  jobs.run(0, () => 0);
  jobs.add('a', steps(done, 'new', 1));
  assert.deepEqual(done, ['old1', 'old ended']);
  jobs.run(10, () => 0);
  assert.deepEqual(done.slice(2), ['new1', 'new ended']);
  jobs.cancel('nothing');
});

it('a job may add others and call itself off', () => {
  const done: string[] = [];
  const jobs = new Jobs();
  function* first() {
    jobs.add('b', steps(done, 'b', 1));
    yield undefined;
    jobs.cancel('c');
    yield undefined;
  }
  jobs.add('a', first());
  jobs.add('c', steps(done, 'c', 1));
  jobs.run(10, () => 0);
  assert.deepEqual(done, ['b1', 'b ended']);
});

it('a job that waits is asked once a run, and holds up no other', () => {
  const done: string[] = [];
  const jobs = new Jobs();
  let over = false;
  let asked = 0;
  function* waiting(): Job {
    while (!over) {
      asked++;
      yield 'wait';
    }
  }
  jobs.add('a', waiting());
  jobs.add('b', steps(done, 'b', 1));
  jobs.run(100, () => 0);
  assert.deepEqual(done, ['b1', 'b ended']);
  assert.equal(asked, 1);
  over = true;
  jobs.run(100, () => 0);
  assert.equal(jobs.size, 0);
});
