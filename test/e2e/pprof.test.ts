/** The profile of outstanding allocations in Google's own pprof: what it opens, and the figures. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { describeError } from '../../core/errors.js';
import { fakeSnapshot, STACKS } from '../../plugins/memleak/output/fake.js';
import { pprofBytes } from '../../plugins/memleak/output/pprof.js';
import { command } from '../command.js';
import { pprofBinary } from './real-parts.js';

const lack = await pprofBinary().then(
  () => false as const,
  (error: unknown) => {
    if (process.env.CI) throw error;
    return describeError(error);
  },
);

suite("leaks --format pprof in Google's pprof", { skip: lack }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-pprof-'));
  const profile = join(dir, 'leaks.pb.gz');
  let binary: string;
  before(async () => {
    binary = await pprofBinary();
    writeFileSync(profile, pprofBytes(fakeSnapshot()));
  });
  after(() => rmSync(dir, { recursive: true }));
  const pprof = (...options: string[]) =>
    command(binary, ['-symbolize=none', ...options, profile], {
      env: { ...process.env, HOME: dir },
    });

  test('-top -inuse_space has the bytes of each function, by its whole name', () => {
    const top = pprof('-top', '-inuse_space', '-unit=B', '-nodefraction=0');
    const flat = flatOf(top);
    for (const [index, leaf] of LEAVES.entries()) {
      assert.equal(flat.get(leaf), Math.round(STACKS[index]?.reading.bytes ?? Number.NaN), leaf);
    }
    assert.match(top, /^Type: inuse_space$/m);
    assert.match(top, /^File: shop$/m);
    assert.match(top, /shop \(2429\): every allocation; 100 % recorded/);
    assert.match(top, /std::vector<shop::Item>::push_back\(shop::Item const&\) \(inline\)$/m);
    assert.doesNotMatch(top, /[^\P{Cc}\n]/u);
  });

  test('-top -inuse_objects has the allocations', () => {
    const flat = flatOf(pprof('-top', '-inuse_objects', '-nodefraction=0'));
    for (const [index, leaf] of LEAVES.entries()) {
      const { allocations = Number.NaN } = STACKS[index]?.reading ?? {};
      assert.equal(flat.get(leaf), Math.round(allocations), leaf);
    }
  });

  test('-raw has samples, labels, addresses, inline frames and mappings with their build ids', () => {
    const raw = pprof('-raw');
    assert.match(
      raw,
      /^alloc_objects\/count alloc_space\/bytes inuse_objects\/count inuse_space\/bytes\[dflt\]$/m,
    );
    assert.match(
      raw,
      /^ +100000 +12000000 +50000 +6000000: [\d ]+\n +class:\[leak\] stack_id:\[00000000000000c2\] state:\[confirmed\]\n +pid:\[2429\]$/m,
    );
    assert.match(
      raw,
      /0x55e03202aa10 M=1 std::__new_allocator<shop::Item>::allocate .*:137:0 .*\n +std::vector.*:1287:0 .*\n +shop::Cart::add\(shop::Item const&\) \/src\/cart\.cc:88:0/,
    );
    assert.match(raw, /^ +\d+: 0xffffffff95127b02 M=\d __alloc_pages /m);
    assert.match(
      raw,
      /^1: 0x55e032027000\/0x55e032030000\/0x1000 \/usr\/bin\/shop 7c2a9f4e5b0d1c3a8e6f7b9d0c1e2f3a4b5c6d7e \[FN\]\[FL\]\[LN\]\[IN\]$/m,
    );
    assert.match(raw, /\/opt\/vendor\/libblob\.so/);
    assert.match(raw, /^Duration: 42s/m);
  });

  test('an empty profile opens as well', () => {
    writeFileSync(profile, pprofBytes(fakeSnapshot({ stacks: [], targets: [] })));
    assert.match(pprof('-raw'), /inuse_space\/bytes/);
  });
});

/** By the order of STACKS, where the innermost frame has a name that a table keeps. */
const LEAVES = [
  'alloc_v3',
  'operator new(unsigned long)',
  '<alloc::raw_vec::RawVec<u8>>::grow_one',
  'LazyCompile:*render /app/page.js:40',
  '__alloc_pages',
] as const;

/** pprof's table: function → flat. */
const flatOf = (top: string): ReadonlyMap<string, number> =>
  new Map(
    [...top.matchAll(/^ *(\d+)B? +\S+% +\S+% +\d+B? +\S+% +(.+?)(?: \(inline\))?$/gm)].map(
      ([, flat, name = '']) => [name, Number(flat)],
    ),
  );
