import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findInstallation, lackOfNode } from './install.js';

test('an old Node is told what it takes; the one that runs this is new enough', () => {
  const installation = findInstallation(import.meta.url);
  assert.equal(lackOfNode(installation), undefined);
  const least = { leastNode: '22.15' };
  assert.match(lackOfNode(least, '20.20.2') ?? '', /^Node 20\.20\.2 is too old: it takes 22\.15/);
  assert.match(lackOfNode(least, '22.9.0') ?? '', /too old/);
  for (const version of ['22.15.0', '22.15.1', '26.1.0', '100.0.0']) {
    assert.equal(lackOfNode(least, version), undefined, version);
  }
});
