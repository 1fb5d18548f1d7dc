import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errnoText, isAbsent, missingCapabilities, refusal } from './refusal.js';

const status = (mask: string) => `Name:\tagent\nCapPrm:\t${mask}\nCapEff:\t${mask}\n`;

test('error numbers have names, the kernel-only one as well', () => {
  assert.equal(errnoText(-2), 'ENOENT (no such file or directory)');
  assert.equal(errnoText(13), 'EACCES (permission denied)');
  assert.match(errnoText(-524), /ENOTSUPP/);
  assert.equal(errnoText(4000), 'errno 4000');
  assert(isAbsent(-2) && isAbsent(524) && !isAbsent(1));
});

test('missing capabilities are named; CAP_SYS_ADMIN contains what was split off it', () => {
  const needed = ['CAP_BPF', 'CAP_PERFMON', 'CAP_SYS_RESOURCE'] as const;
  assert.deepEqual(missingCapabilities(needed, status('0000000000000000')), [...needed]);
  assert.deepEqual(missingCapabilities(needed, status('000000c000000000')), ['CAP_SYS_RESOURCE']);
  assert.deepEqual(missingCapabilities(needed, status('0000000000200000')), ['CAP_SYS_RESOURCE']);
  assert.deepEqual(missingCapabilities(needed, status('000001ffffffffff')), []);
});

test('a refusal is one of permission only if a capability is missing', () => {
  const other = refusal('BPF_LOAD_FAILED', 'cannot load x', -22, ['CAP_BPF']);
  assert.equal(other.code, 'BPF_LOAD_FAILED');
  assert.equal(other.message, 'cannot load x: EINVAL (invalid argument)');
  const held = missingCapabilities(['CAP_BPF']).length === 0;
  const denied = refusal('BPF_LOAD_FAILED', 'cannot load x', -1, ['CAP_BPF']);
  assert.equal(denied.code, held ? 'BPF_LOAD_FAILED' : 'PERMISSION_DENIED');
});
