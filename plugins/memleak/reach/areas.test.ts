import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAreas, runsOf } from './areas.js';

const PAGE = 4096;
const MAPS = `1000-5000 rw-p 00000000 00:00 0                          [heap]
7000-9000 rw-s 00000000 00:01 77                         /dev/zero (deleted)
9000-a000 r--s 00000000 08:01 78                         /usr/lib/locale/C.utf8
b000-c000 r--p 00000000 00:00 0                          [vvar]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]
`;
const [PRESENT, SWAPPED, OF_FILE] = [2 ** 31, 2 ** 30, 2 ** 29];
/** Entries of pagemap with these upper halves. */
const entries = (...upper: number[]) => Uint32Array.from(upper.flatMap((word) => [0, word]));

test('areas are what a program may have written to, by the lines of maps', () => {
  const areas = parseAreas(MAPS);
  assert.deepEqual(
    areas.map(({ path }) => path),
    ['[heap]', '/dev/zero (deleted)', '/usr/lib/locale/C.utf8'],
  );
  assert.deepEqual(areas[0], {
    start: 0x1000,
    end: 0x5000,
    isShared: false,
    isWritable: true,
    path: '[heap]',
  });
});

test('of private memory those pages are read that are there and no longer the file’s', () => {
  const [heap] = parseAreas(MAPS);
  assert.ok(heap);
  const pages = entries(PRESENT, PRESENT | OF_FILE, 0, SWAPPED);
  assert.deepEqual(runsOf(heap, pages, PAGE), [
    { start: 0x1000, end: 0x2000, isSwapped: false },
    { start: 0x4000, end: 0x5000, isSwapped: true },
  ]);
});

test('of shared memory those that are there, unless nobody here may write them', () => {
  const [, shared, file] = parseAreas(MAPS);
  assert.ok(shared && file);
  const there = entries(PRESENT | OF_FILE, PRESENT | OF_FILE);
  assert.deepEqual(runsOf(shared, there, PAGE), [{ start: 0x7000, end: 0x9000, isSwapped: false }]);
  assert.deepEqual(runsOf(file, there, PAGE), []);
});
