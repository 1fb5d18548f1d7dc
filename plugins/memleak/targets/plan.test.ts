import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Image } from './image.js';
import { type PlanOptions, planFile as planOf } from './plan.js';

const OPTIONS: PlanOptions = {
  mmap: false,
  brk: false,
  functions: {},
  throwing: true,
};

const planFile = (of: Image, name: string, options: PlanOptions) =>
  planOf(of, name, options, ({ entry, size }) => [entry + size]);

/** Functions by symbol, at these offsets. */
function image(
  functions: Readonly<Record<string, number>>,
  stepped: readonly string[] = [],
): Image {
  return {
    bits: 64,
    isGo: false,
    isSanitizer: false,
    isStatic: false,
    hasSymbols: true,
    interpreter: [],
    functions: new Map(
      Object.entries(functions).map(([symbol, entry]) => [
        symbol,
        { entry, offset: entry + 1, emulated: !stepped.includes(symbol), size: 9 },
      ]),
    ),
  };
}

it('a function with several names is one site', () => {
  const { sites, family } = planFile(
    image({ malloc: 16, tc_malloc: 16, free: 32, tc_free: 32, cfree: 32 }),
    'libtcmalloc.so',
    OPTIONS,
  );
  assert.equal(family, 'tcmalloc');
  assert.deepEqual(
    sites.map(({ shape, offset, entry }) => ({ shape, offset, entry })),
    [
      { shape: 'malloc', offset: 17, entry: 16 },
      { shape: 'free', offset: 33, entry: 32 },
    ],
  );
});

it('one that may throw by one of its names may throw', () => {
  const both = image({ malloc: 16, _Znwm: 16, mallocx: 48 });
  const [site] = planFile(both, 'libjemalloc.so.2', OPTIONS).sites;
  assert.deepEqual(site?.exits, [25]);
  const careful = planFile(both, 'libjemalloc.so.2', { ...OPTIONS, throwing: false });
  assert.deepEqual(
    careful.sites.map(({ symbol }) => symbol),
    ['mallocx'],
  );
  assert.deepEqual(careful.unsafe, ['_Znwm']);
});

it('all are seen at their returns where the program walks its stacks', () => {
  const plain = image({ malloc: 16, free: 32, gnu_get_libc_version: 80 });
  const options = { ...OPTIONS, walksStacks: true } as const;
  const sites = new Map(
    planFile(plain, 'libc.so.6', options).sites.map(({ symbol, exits }) => [symbol, exits]),
  );
  assert.deepEqual(sites.get('malloc'), [25]);
  assert.equal(sites.get('free'), undefined);
  const unknown = planOf(plain, 'libc.so.6', options, () => undefined);
  assert.deepEqual(unknown.unsafe, ['malloc']);
});

it('the C++ library has sites and no allocator', () => {
  const plan = planFile(image({ _Znwm: 16, _Znam: 32, _ZdlPv: 48 }), 'libstdc++.so.6', OPTIONS);
  assert.equal(plan.family, undefined);
  assert.deepEqual(
    plan.sites.map(({ shape }) => shape),
    ['new', 'new'],
  );
});

it('configured functions make an allocator', () => {
  const functions = { pool_get: 'malloc', pool_put: 'free' } as const;
  const plan = planFile(image({ pool_get: 16, pool_put: 32 }), 'app', { ...OPTIONS, functions });
  assert.equal(plan.family, 'other');
  assert.equal(plan.sites.length, 2);
});

it('what is called most and single-stepped makes the file costly', () => {
  const names = { malloc: 16, free: 32, mmap: 48, valloc: 64, gnu_get_libc_version: 80 };
  const stepped = (symbols: readonly string[]) =>
    planFile(image(names, symbols), 'libc.so.6', OPTIONS).stepped;
  assert.equal(stepped(['mmap', 'valloc']), 0);
  assert.equal(stepped(['malloc']), 0.5);
  assert.equal(stepped(['malloc', 'free']), 1);
});

it('of several names the plainest is told', () => {
  const { sites } = planFile(image({ cfree: 16, free: 16, malloc: 32 }), 'libc.so.6', OPTIONS);
  assert.deepEqual(
    sites.map(({ symbol }) => symbol),
    ['free', 'malloc'],
  );
});
