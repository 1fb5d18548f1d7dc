/** The corpus' own claims, against LeakSanitizer: so that the corpus can be trusted. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { binary, corpusMissing, isBuilt } from './build.js';
import { casesOf, readCorpus } from './manifest.js';
import {
  askOracle,
  grows,
  isSite,
  leakSanitizer,
  MOMENTS,
  parseMoments,
  siteOf,
} from './oracle.js';

const library = leakSanitizer();
const missing =
  corpusMissing() ?? (library === undefined ? 'the compiler has no LeakSanitizer' : undefined);

describe('the corpus keeps what it claims', { skip: missing ?? false, concurrency: 2 }, () => {
  for (const each of casesOf(readCorpus())) {
    const { program } = each;
    const marks = new Map(
      program.marks.filter(isSite).map((mark) => [siteOf(mark), mark.mark] as const),
    );
    test(each.name, async (t) => {
      if (!isBuilt(program)) return t.skip(`${binary(program.name, 'O0')}: no Rust compiler`);
      if (program.oracle === 'none') return t.skip('LeakSanitizer does not see mmap');
      const { lost, all } = await askOracle(each, library ?? '');
      const growing = [...all].filter(([, bytes]) => grows(bytes)).map(([site]) => site);
      const unmarked = (sites: Iterable<string>) => [...sites].filter((site) => !marks.has(site));
      assert.deepEqual(unmarked(growing), [], 'grows');
      assert.deepEqual(unmarked(lost.keys()), [], 'is lost');
      for (const [site, mark] of marks) {
        if (mark !== 'LEAK') continue;
        if (program.oracle === 'growth') {
          assert.ok(growing.includes(site), `${site} does not grow: ${all.get(site)}`);
          continue;
        }
        const bytes = lost.get(site) ?? [];
        const [half = 0, end = 0] = [bytes[MOMENTS / 2 - 1], bytes[MOMENTS - 1]];
        assert.ok(half > 0 && end > half, `${site} is not lost more and more: ${bytes}`);
      }
    });
  }
});

test('what LeakSanitizer says is read by marked line, else by the innermost of ours', () => {
  const report = (bytes: number) =>
    [
      `Direct leak of ${bytes} byte(s) in 2 object(s) allocated from:`,
      '    #0 0x1 in __interceptor_malloc lsan_interceptors.cpp:75',
      '    #1 0x2 in xmalloc /a/test/corpus/leaks/x.c:7',
      '    #2 0x3 in main /a/test/corpus/leaks/x.c:20',
      '',
      `SUMMARY: LeakSanitizer: ${bytes} byte(s) leaked in 2 allocation(s).`,
      '',
    ].join('\n');
  const text = Array.from({ length: MOMENTS }, (_, n) => `@@moment ${n + 1}\n${report(n)}`).join(
    '',
  );
  const each = Array.from({ length: MOMENTS }, (_, n) => n);
  const end = report(999);
  assert.deepEqual([...parseMoments(text + end, [])], [['x.c:7', each]]);
  assert.deepEqual(
    [...parseMoments(text + end, [{ mark: 'LEAK', file: 'x.c', line: 20 }])],
    [['x.c:20', each]],
  );
});

test('growth is a floor above the ceiling before it; a sawtooth has none', () => {
  const of = (value: (moment: number) => number) =>
    Array.from({ length: MOMENTS }, (_, n) => value(n));
  assert.equal(grows(of((n) => 100 * (n + 1))), true);
  assert.equal(grows(of((n) => 100 * (n % 3))), false);
  assert.equal(grows(of((n) => Math.min(n, 4))), false);
});
