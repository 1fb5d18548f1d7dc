import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemWatcherError } from '../errors.js';
import { isOurMistake, reasonOf } from './rejection.js';

test('a reason has the last of the kernel’s words, and where it had none what can be done', () => {
  const hint = 'lockdown forbids it';
  const detail = 'one\ntwo\nthree\n\nfour\nR1 invalid mem access';
  const refused = new MemWatcherError('BPF_LOAD_FAILED', 'refused', { detail, hint });
  assert.equal(reasonOf(refused), 'refused\ntwo\nthree\nfour\nR1 invalid mem access');
  const silent = new MemWatcherError('BPF_LOAD_FAILED', 'EPERM', { detail: '', hint });
  assert.equal(reasonOf(silent), 'EPERM\nlockdown forbids it');
  assert.equal(reasonOf(new Error('plain')), 'plain');
});

test('what another kernel would not mend is our mistake', () => {
  assert.ok(isOurMistake(new TypeError('x')));
  assert.ok(isOurMistake(new MemWatcherError('LAYOUT_INVALID', 'x')));
  assert.ok(!isOurMistake(new MemWatcherError('BPF_LOAD_FAILED', 'x')));
});
