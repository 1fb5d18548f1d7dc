import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { biasOf } from './unwind-rows.js';

const START = 0x55a3_65a5_9000n;

describe('how far a mapping is from its file', () => {
  it('is of the segment that begins in its first page, where two share it', () => {
    // As rust-lld lays them out: read-only data ends in the page of the file that code begins in.
    const segments = [
      { fileOffset: 0n, address: 0n, size: 0x13cc0n },
      { fileOffset: 0x13cc0n, address: 0x14cc0n, size: 0x3ea30n },
    ];
    assert.equal(biasOf({ start: START, fileOffset: 0x13000n, segments }), START - 0x14000n);
    assert.equal(biasOf({ start: START, fileOffset: 0n, segments }), START);
  });

  it('is of the segment that a later mapping lies in', () => {
    const segments = [{ fileOffset: 0x1000n, address: 0x401000n, size: 0x5000n }];
    assert.equal(biasOf({ start: START, fileOffset: 0x3000n, segments }), START - 0x403000n);
    assert.equal(biasOf({ start: START, fileOffset: 0x6000n, segments }), undefined);
  });
});
