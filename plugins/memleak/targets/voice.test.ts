import assert from 'node:assert/strict';
import { it } from 'node:test';
import { absenceOf, type Troubles, Voice } from './voice.js';

const WELL: Troubles = { impaired: [], omitted: 0, max: 4, absent: [], economy: undefined };

function listen() {
  const said: string[] = [];
  const logged: string[] = [];
  const voice = new Voice(
    {
      degraded: (id, reason) => said.push(`${id}: ${reason}`),
      clear: (id) => said.push(`${id} is well`),
    },
    { warn: (_, message) => logged.push(message) },
  );
  return { said, logged, voice };
}

it('each kind of trouble is said once, anew when it changes, and taken back', () => {
  const { said, logged, voice } = listen();
  voice.say(WELL);
  assert.deepEqual(said, []);
  const trouble = { ...WELL, omitted: 2, economy: 'one sample in 64 KiB' };
  voice.say(trouble);
  voice.say(trouble);
  assert.deepEqual(said.splice(0), [
    'max_targets: 2 more processes match than the 4 that are followed: raise max_targets',
    'budget: one sample in 64 KiB',
  ]);
  assert.equal(logged.length, 2);
  voice.say({ ...trouble, omitted: 3 });
  assert.match(said.splice(0).join(), /^max_targets: 3 more/);
  voice.say(WELL);
  assert.deepEqual(said, ['max_targets is well', 'budget is well']);
});

it('of many impaired targets some are named', () => {
  const { said, voice } = listen();
  const impaired = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name, reason: 'no' }));
  voice.say({ ...WELL, impaired });
  assert.deepEqual(said, ['impaired_targets: a: no; b: no; c: no; and 2 more']);
});

it('what is known of a pid that is no process', () => {
  assert.equal(absenceOf(7, undefined), '7: it has exited, or never was');
  assert.equal(absenceOf(7, 5), '7: 7 is a thread of 5');
});
