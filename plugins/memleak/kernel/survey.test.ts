/** What the kernel lacks, and what only this agent may not read. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { takeSurvey } from './survey.js';

test('a file that does not exist is what the kernel lacks; one that cannot be read is a condition', (t) => {
  const proc = mkdtempSync(join(tmpdir(), 'mem-watcher-survey-'));
  t.after(() => rmSync(proc, { recursive: true }));
  writeFileSync(join(proc, 'meminfo'), 'MemTotal: 1 kB\n');
  assert.deepEqual(takeSurvey(proc).lacks, [join(proc, 'slabinfo')]);
  assert.deepEqual(takeSurvey(proc).unreadable, []);
  // Unreadable to root as well.
  mkdirSync(join(proc, 'slabinfo'));
  const { lacks, unreadable } = takeSurvey(proc);
  assert.deepEqual(lacks, []);
  assert.equal(unreadable.length, 1);
  assert.match(unreadable[0] ?? '', /slabinfo: EISDIR/);
});
