/**
 * The BPF objects of arm64, built on any machine: they compile, and order the stores that publish
 * live memory, which x86 orders by itself (decision 0095).
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { helperCalls } from '../../core/bpf/instructions.js';
import { createBpfHost } from '../../core/bpf/libbpf.js';
import { root } from './harness.js';

/** How often each object's source calls smp_wmb(); on arm64 that is two calls of the helper. */
const PUBLICATIONS = [
  ['paf', 2],
  ['sysstat', 2],
  ['memleak', 1],
  ['memleak-kernel', 1],
  ['pr', 3],
] as const;

/** What ships, and the object that is loaded here. */
const OBJECTS = ['memleak', 'memleak-kernel', 'paf', 'pr', 'procstat', 'sysstat', 'carry'];

const isRoot = process.getuid?.() === 0;
const barriers = (file: string) =>
  helperCalls(readFileSync(file)).filter(({ helper }) => helper === 'bpf_map_peek_elem').length;

describe('BPF objects of arm64', () => {
  const built = mkdtempSync(join(tmpdir(), 'arm64-'));
  const object = (name: string) => join(built, `${name}.bpf.o`);
  before(() => {
    const include = `ARCH_INCLUDE=${join(root, 'test/conformance/arm64')}`;
    const jobs = `-j${availableParallelism()}`;
    const options = ['-s', jobs, '-C', join(root, 'bpf'), 'ARCH=arm64', `OUT=${built}`, include];
    const make = spawnSync('make', [...options, ...OBJECTS.map(object)], { encoding: 'utf8' });
    assert.equal(make.status, 0, make.stderr);
  });
  after(() => rmSync(built, { recursive: true }));

  test('order stores wherever a program publishes a slot', () => {
    for (const [name, publications] of PUBLICATIONS) {
      const calls = barriers(object(name));
      // A function that is inlined into several programs is there several times.
      assert.ok(calls > 0 && calls % (2 * publications) === 0, `${name}: ${calls} calls`);
    }
  });

  test('are the only ones with a barrier: x86 keeps the order of stores', () => {
    if (process.arch !== 'x64') return assert.equal(process.arch, 'arm64');
    for (const [name] of PUBLICATIONS) {
      assert.equal(barriers(join(root, 'dist', 'bpf', `${name}.bpf.o`)), 0, name);
    }
  });

  test('their barrier passes the verifier', { skip: !isRoot && 'needs root' }, () => {
    assert.ok(barriers(object('carry')) > 0);
    const carry = createBpfHost().open(object('carry'));
    try {
      assert.doesNotThrow(() => carry.load());
    } finally {
      carry.close();
    }
  });
});

/** barrier() holds the compiler, and on arm64 not the CPU. */
test('a program publishes by smp_wmb(), not by barrier()', () => {
  const uses = globSync('{bpf,plugins,test}/**/*.{h,c}', { cwd: root }).filter((file) =>
    /\bbarrier\(\)/.test(readFileSync(join(root, file), 'utf8')),
  );
  // procstat reads the same field twice and publishes nothing.
  assert.deepEqual(uses.sort(), ['bpf/order.bpf.h', 'plugins/procstat/readers.h']);
  const publishing = globSync('plugins/**/*.{h,c}', { cwd: root }).flatMap((file) => [
    ...readFileSync(join(root, file), 'utf8').matchAll(/\bsmp_wmb\(\)/g),
  ]);
  const expected = PUBLICATIONS.reduce((sum, [, publications]) => sum + publications, 0);
  assert.equal(publishing.length, expected);
});
