import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Extras,
  type FileTraits,
  familyOf,
  symbolsOfInterest,
  wantedOf,
} from './allocators.js';

const NONE: Extras = { mmap: false, brk: false, functions: {} };

function file(symbols: readonly string[], name = 'libx.so'): FileTraits {
  return { name, defines: (symbol) => symbols.includes(symbol) };
}

const GLIBC = ['malloc', 'free', 'gnu_get_libc_version', '__libc_memalign', '__libc_start_main'];
const MUSL = ['malloc', 'free', 'calloc', '__libc_start_main'];
const JEMALLOC = ['malloc', 'free', 'mallocx', '_Znwm', '_ZdlPv'];

describe('whose allocator it is', () => {
  const cases: readonly [string, FileTraits, ReturnType<typeof familyOf>][] = [
    ['glibc', file(GLIBC, 'libc.so.6'), 'glibc'],
    ['static glibc', file(['malloc', '__libc_calloc', '__libc_start_main'], 'prog'), 'glibc'],
    ['musl', file(MUSL, 'libc.so'), 'musl'],
    ['stripped musl', file(['malloc'], 'ld-musl-x86_64.so.1'), 'musl'],
    ['jemalloc', file(JEMALLOC), 'jemalloc'],
    ['jemalloc of Redis', file(['je_malloc', 'je_free']), 'jemalloc'],
    ['jemalloc of Rust', file(['_rjem_malloc', '_rjem_mallocx']), 'jemalloc'],
    ['tcmalloc', file(['malloc', 'tc_malloc', 'tc_new']), 'tcmalloc'],
    ['TCMalloc', file(['malloc', 'TCMallocInternalMalloc']), 'tcmalloc'],
    ['mimalloc', file(['malloc', 'mi_malloc', '__libc_memalign', '__libc_calloc']), 'mimalloc'],
    ['a sanitizer', file(['malloc', '__libc_memalign', '__lsan_init', '_Znwm']), 'other'],
    ['one of its own', file(['malloc', 'free']), 'other'],
    ['none', file(['_Znwm', 'mmap']), undefined],
    ['the loader of glibc', file(['malloc', '__libc_memalign'], 'ld-linux-x86-64.so.2'), undefined],
    ['the loader of an old glibc', file(['malloc'], 'ld-2.28.so'), undefined],
  ];
  for (const [name, traits, family] of cases) {
    it(name, () => assert.equal(familyOf(traits), family));
  }
});

describe('what a function is like', () => {
  it('operator new of a sanitizer allocates by itself', () => {
    const sanitizer = file(['malloc', '__libc_memalign', '__lsan_init', '_Znwm', '_ZdlPv']);
    assert.deepEqual(wantedOf('_Znwm', sanitizer, NONE), { shape: 'malloc', mayThrow: true });
    assert.deepEqual(wantedOf('_ZdlPv', sanitizer, NONE), { shape: 'free' });
  });

  const shapeOf = (symbol: string, traits = file(GLIBC), extras = NONE) =>
    wantedOf(symbol, traits, extras)?.shape;

  it('by its C name, with the prefixes of allocators', () => {
    for (const prefix of ['', 'je_', '_rjem_', 'tc_', 'mi_']) {
      assert.equal(shapeOf(`${prefix}malloc`), 'malloc');
      assert.equal(shapeOf(`${prefix}calloc`), 'calloc');
      assert.equal(shapeOf(`${prefix}realloc`), 'realloc');
      assert.equal(shapeOf(`${prefix}reallocarray`), 'reallocarray');
      assert.equal(shapeOf(`${prefix}memalign`), 'aligned_alloc');
      assert.equal(shapeOf(`${prefix}posix_memalign`), 'posix_memalign');
      assert.equal(shapeOf(`${prefix}pvalloc`), 'malloc');
      assert.equal(shapeOf(`${prefix}free`), 'free');
    }
    for (const other of ['xmalloc', 'malloc_usable_size', 'freeaddrinfo', 'mallocx_', 'calloc2']) {
      assert.equal(shapeOf(other), undefined, other);
    }
  });

  it('by what only some allocators have', () => {
    assert.equal(shapeOf('mallocx'), 'malloc');
    assert.equal(shapeOf('rallocx'), 'realloc');
    assert.equal(shapeOf('sdallocx'), 'free');
    assert.equal(shapeOf('mi_mallocn'), 'calloc');
    assert.equal(shapeOf('mi_heap_malloc'), 'aligned_alloc');
    assert.equal(shapeOf('TCMallocInternalPosixMemalign'), 'posix_memalign');
  });

  const NEWS = ['_Znwm', '_Znam', '_ZnwmSt11align_val_t', '_ZnamSt11align_val_tRKSt9nothrow_t'];
  const DELETES = ['_ZdlPv', '_ZdaPvm', '_ZdlPvmSt11align_val_t', '_ZdaPvRKSt9nothrow_t'];

  it('operator new that passes malloc gets no return probe, and delete none at all', () => {
    for (const traits of [file(NEWS, 'libstdc++.so.6'), file([...GLIBC, ...NEWS], 'static')]) {
      for (const symbol of NEWS) assert.deepEqual(wantedOf(symbol, traits, NONE), { shape: 'new' });
      for (const symbol of DELETES) assert.equal(shapeOf(symbol, traits), undefined);
    }
  });

  it('operator new that is an allocator’s own may throw, unless it says that it does not', () => {
    for (const symbol of [...NEWS.slice(0, 3), 'tc_new', 'tc_newarray', 'mi_new']) {
      const wanted = wantedOf(symbol, file(JEMALLOC), NONE);
      assert.deepEqual(wanted, { shape: 'malloc', mayThrow: true }, symbol);
    }
    for (const symbol of ['_ZnwmRKSt9nothrow_t', 'tc_new_nothrow', 'mi_new_nothrow']) {
      assert.deepEqual(wantedOf(symbol, file(JEMALLOC), NONE), { shape: 'malloc' }, symbol);
    }
    for (const symbol of [...DELETES, 'tc_delete', 'tc_deletearray_sized']) {
      assert.equal(shapeOf(symbol, file(JEMALLOC)), 'free', symbol);
    }
  });

  it('what only looks like an operator is none', () => {
    for (const symbol of ['_Znwj', '_ZnwmPv', '_ZN3foo3newEv', '_ZdlPvS_', 'x_Znwm', '_Znwmx']) {
      assert.equal(shapeOf(symbol, file(JEMALLOC)), undefined, symbol);
    }
  });

  it('mappings, the break and names of one’s own if asked for', () => {
    assert.equal(shapeOf('mmap'), undefined);
    assert.equal(shapeOf('mmap64', file(GLIBC), { ...NONE, mmap: true }), 'mmap');
    assert.equal(shapeOf('sbrk'), undefined);
    assert.equal(shapeOf('sbrk', file(GLIBC), { ...NONE, brk: true }), 'sbrk');
    assert.equal(
      shapeOf('pool_get', file([]), { ...NONE, functions: { pool_get: 'calloc' } }),
      'calloc',
    );
    assert.equal(shapeOf('constructor'), undefined);
  });

  it('nothing of glibc’s loader', () => {
    assert.equal(shapeOf('malloc', file(['malloc'], 'ld-linux-aarch64.so.1')), undefined);
  });
});

it('a reader of symbols is asked for whole names, the configured ones as they are', () => {
  const pattern = symbolsOfInterest(['my.alloc', 'a|b']);
  for (const symbol of ['malloc', 'mi_free', '_Znwm', 'mmap', 'my.alloc', 'a|b', 'mallocx']) {
    assert.match(symbol, pattern);
  }
  for (const symbol of ['xmalloc', 'malloc2', 'myxalloc', 'a', 'b', '', 'free\n']) {
    assert.doesNotMatch(symbol, pattern);
  }
});
