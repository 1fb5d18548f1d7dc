/** The loop in WebAssembly, held against the same in JavaScript. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Ranges } from './blocks.js';
import { Words } from './words.js';

const RANGES: Ranges = { low: 0x5555, lowSpan: 1, high: 0x7ff0, highSpan: 3 };
const COUNT = 4096;

const isIn = (region: number): boolean =>
  [0x5555, 0x5556, 0x7ff0, 0x7ff1, 0x7ff2, 0x7ff3].includes(region);

/** Words of which some are pointers, some nearly, some have tags, and some are 0. */
function filled(): Words {
  const words = new Words();
  let seed = 11;
  const random = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed >>> 8;
  };
  const halves = [0, 0x5554, 0x5555, 0x5556, 0x5557, 0x7fef, 0x7ff0, 0x7ff3, 0x7ff4, 0xab5555];
  for (let n = 0; n < COUNT; n++) {
    words.words[n] = random() % 3 === 0 ? (halves[random() % halves.length] as number) : random();
  }
  return words;
}

describe('words that may be pointers', () => {
  const words = filled();
  for (const [from, end] of [
    [0, COUNT],
    [1, COUNT - 1],
    [2, 4],
    [6, 7],
    [8, 8],
    [4, 11],
  ] as const) {
    test(`at 4 bytes, from ${from} to ${end}`, () => {
      const expected: number[] = [];
      for (let n = from; n + 1 < end; n++) {
        if (isIn((words.words[n + 1] as number) & 0xffff)) expected.push(n);
      }
      const count = words.pointers(from, end, RANGES);
      assert.deepEqual([...words.found.subarray(0, count)], expected);
    });

    test(`XORed at 8 bytes, from ${from + (from % 2)} to ${end}`, () => {
      const key = 0x2aa5;
      const expected: number[] = [];
      for (let n = from + (from % 2); n + 1 < end; n += 2) {
        const [lower, upper] = [words.words[n] as number, words.words[n + 1] as number];
        const isNumber = (lower & 7) !== 0 || (lower === 0 && upper === 0);
        if (!isNumber && isIn((upper ^ key) & 0xffff)) expected.push(n);
      }
      const count = words.xored(from + (from % 2), end, RANGES, key);
      assert.deepEqual([...words.found.subarray(0, count)], expected);
    });
  }
});
