import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Coverage, Reading } from '../model.js';
import { coverageOf } from './coverage.js';

const all: Coverage = { samplingInterval: 0, missedAllocations: 0, missedFrees: 0, recorded: 1e4 };

function reading(bytes: number, allocations: number, bytesError = 0): Reading {
  return {
    source: { kind: 'process', pid: 7, startTime: 9 },
    key: 'k',
    frames: [],
    depth: 'end',
    bytes,
    allocations,
    bytesError,
    allocatedBytes: bytes,
    allocatedCount: allocations,
    freedBytes: 0,
    freedCount: 0,
    firstSeen: 0,
  };
}

test('everything recorded is full coverage; what was missed lessens it', () => {
  assert.equal(coverageOf(reading(7000, 35), all), 1);
  assert.equal(coverageOf(reading(7000, 35), { ...all, missedFrees: 1e4 }), 0.5);
});

test('recorded before sampling began: what it may have grown by since is unseen', () => {
  const sampled = { ...all, samplingInterval: 65_536 };
  // 35 blocks of 200 bytes; of those that follow one in 328 is seen.
  assert.equal(coverageOf(reading(7000, 35), sampled), 0);
  // Against 64 MiB that is little.
  assert.ok(coverageOf(reading(2 ** 26, 335_544), sampled) > 0.99);
  // What is larger than the interval by far is recorded whenever it comes.
  assert.ok(coverageOf(reading(2 ** 22, 2), sampled) > 0.99);
});

test('an estimate is worth less by its relative error', () => {
  const sampled = { ...all, samplingInterval: 65_536 };
  const coverage = coverageOf(reading(65_536 * 100, 32_768, 65_536 * 10), sampled);
  assert.ok(Math.abs(coverage - 0.9) < 1e-9, `${coverage}`);
});
