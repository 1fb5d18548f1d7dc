/**
 * Which functions of a file allocate, by their names; and whose allocator that is. Pure.
 *
 * Every file that defines malloc is probed: which definition a call meets is the dynamic linker's
 * affair (interposition), and a thread that is inside of one function is not counted again for
 * another that it calls.
 */
import type { Shape } from '../user/user-watch.js';

export const FAMILIES = ['glibc', 'musl', 'jemalloc', 'tcmalloc', 'mimalloc', 'other'] as const;
export type Family = (typeof FAMILIES)[number];

/** What is known of a file before its functions are chosen. */
export interface FileTraits {
  /** Defined functions. */
  readonly defines: (symbol: string) => boolean;
  /** Base name. */
  readonly name: string;
}

export interface Wanted {
  readonly shape: Shape;
  readonly mayThrow?: true;
}

/** C names that several allocators have, with their own prefixes in front. */
const STANDARD: Readonly<Record<string, Shape>> = {
  malloc: 'malloc',
  calloc: 'calloc',
  realloc: 'realloc',
  reallocarray: 'reallocarray',
  aligned_alloc: 'aligned_alloc',
  memalign: 'aligned_alloc',
  posix_memalign: 'posix_memalign',
  valloc: 'malloc',
  pvalloc: 'malloc',
  free: 'free',
  cfree: 'free',
  free_sized: 'free',
  free_aligned_sized: 'free',
};

const JEMALLOC: Readonly<Record<string, Shape>> = {
  mallocx: 'malloc',
  rallocx: 'realloc',
  dallocx: 'free',
  sdallocx: 'free',
};

const MIMALLOC: Readonly<Record<string, Shape>> = {
  mi_zalloc: 'malloc',
  mi_malloc_small: 'malloc',
  mi_zalloc_small: 'malloc',
  mi_mallocn: 'calloc',
  mi_reallocn: 'reallocarray',
  mi_reallocf: 'realloc',
  mi_rezalloc: 'realloc',
  mi_recalloc: 'reallocarray',
  mi_malloc_aligned: 'malloc',
  mi_zalloc_aligned: 'malloc',
  mi_calloc_aligned: 'calloc',
  mi_realloc_aligned: 'realloc',
  mi_rezalloc_aligned: 'realloc',
  mi_heap_malloc: 'aligned_alloc',
  mi_heap_zalloc: 'aligned_alloc',
  mi_free_size: 'free',
  mi_free_size_aligned: 'free',
  mi_free_aligned: 'free',
  mi_new_nothrow: 'malloc',
  mi_new_aligned_nothrow: 'malloc',
};

const MIMALLOC_NEW: Readonly<Record<string, Shape>> = {
  mi_new: 'malloc',
  mi_new_aligned: 'malloc',
  mi_new_n: 'calloc',
  mi_new_realloc: 'realloc',
  mi_new_reallocn: 'reallocarray',
};

/** By default, by prefix, and as Firefox, Rust's crates and vendored copies name them. */
const PREFIXES = ['', 'je_', '_rjem_', 'tc_', 'mi_'] as const;

/** operator new and new[]: aligned, nothrow, with Google's hot/cold hint. 64-bit sizes alone. */
const NEW = /^_Zn[wa]m(St11align_val_t)?(RKSt9nothrow_t)?(12__hot_cold_t)?$/;
/** operator delete and delete[]: sized, aligned, nothrow. */
const DELETE = /^_Zd[la]Pvm?(St11align_val_t)?(RKSt9nothrow_t)?$/;
/** The same as gperftools names them, and TCMalloc. */
const TC_NEW =
  /^(tc_new|tc_newarray|TCMallocInternalNew\w*)(_aligned|Aligned)?(_nothrow|Nothrow)?$/;
const TC_DELETE = /^(tc_delete|tc_deletearray|TCMallocInternalDelete)\w*$/;
const TC_INTERNAL =
  /^TCMallocInternal(Malloc|Calloc|Realloc|Memalign|AlignedAlloc|PosixMemalign|Valloc|Pvalloc|Free|Cfree)$/;

const named = new Map<string, Wanted>();
for (const prefix of PREFIXES) {
  for (const [name, shape] of Object.entries(STANDARD)) named.set(prefix + name, { shape });
}
for (const prefix of ['', 'je_', '_rjem_']) {
  for (const [name, shape] of Object.entries(JEMALLOC)) named.set(prefix + name, { shape });
}
for (const [name, shape] of Object.entries(MIMALLOC)) named.set(name, { shape });
for (const [name, shape] of Object.entries(MIMALLOC_NEW))
  named.set(name, { shape, mayThrow: true });

const MMAP: Readonly<Record<string, Shape>> = {
  mmap: 'mmap',
  mmap64: 'mmap',
  munmap: 'munmap',
  mremap: 'mremap',
};
const BRK: Readonly<Record<string, Shape>> = { sbrk: 'sbrk' };

export interface Extras {
  readonly mmap: boolean;
  readonly brk: boolean;
  readonly functions: Readonly<Record<string, Shape>>;
}

/** Symbols that tell allocators apart. */
const MARKERS: ReadonlySet<string> = new Set([
  'gnu_get_libc_version',
  '__libc_calloc',
  '__libc_memalign',
  '__libc_start_main',
]);

/** What runtimes begin by that walk stacks as memory is allocated. */
const SANITIZERS = ['__asan_init', '__lsan_init', '__hwasan_init', '__msan_init', '__tsan_init'];

export const isSanitizer = (defines: (symbol: string) => boolean): boolean =>
  SANITIZERS.some((symbol) => defines(symbol));

/** What V8 runs JavaScript by, and calls native functions by until they are compiled for. */
export const INTERPRETER =
  /^Builtins_|^_ZN2v88internal.*(FunctionCallbackArguments\d+Call|HandleApiCall)/;

/** Symbols that mean anything here, the configured ones among them. */
export function symbolsOfInterest(functions: Iterable<string>): RegExp {
  const names = [
    ...named.keys(),
    ...Object.keys(MMAP),
    ...Object.keys(BRK),
    ...MARKERS,
    ...SANITIZERS,
    ...functions,
  ].map((name) => `^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
  const patterns = [NEW, DELETE, TC_NEW, TC_DELETE, TC_INTERNAL, INTERPRETER].map(
    ({ source }) => source,
  );
  return new RegExp([...names, ...patterns].join('|'));
}

/** What a function of that name is like in whatever file; undefined if that is not known. */
export function usualShape(symbol: string): Shape | undefined {
  const cxx = cxxKind(symbol);
  if (cxx) return cxx === 'new' ? 'malloc' : 'free';
  return (named.get(symbol) ?? internalOf(symbol))?.shape;
}

/**
 * Whether a function of that name may leave by an exception: an operator new may, and what nobody knows.
 */
export function mayThrow(symbol: string): boolean {
  if (cxxKind(symbol) === 'new') return !/nothrow/i.test(symbol);
  const known = named.get(symbol) ?? internalOf(symbol);
  if (known) return known.mayThrow === true;
  return ![MMAP, BRK].some((names) => Object.hasOwn(names, symbol)) && !MARKERS.has(symbol);
}

/** What to do with a function that the file defines; undefined: nothing. */
export function wantedOf(symbol: string, file: FileTraits, extras: Extras): Wanted | undefined {
  const configured = extras.functions[symbol];
  if (Object.hasOwn(extras.functions, symbol) && configured) {
    return { shape: configured, ...(mayThrow(symbol) && { mayThrow: true as const }) };
  }
  if (extras.mmap && Object.hasOwn(MMAP, symbol)) return wanted(MMAP[symbol]);
  if (extras.brk && Object.hasOwn(BRK, symbol)) return wanted(BRK[symbol]);
  if (isLoader(file)) return undefined;
  const known = named.get(symbol) ?? internalOf(symbol);
  if (known) return known;
  const cxx = cxxKind(symbol);
  if (cxx === undefined) return undefined;
  const passes = passesMalloc(file);
  // Behind these the allocator's own free follows, which is probed.
  if (cxx === 'delete') return passes ? undefined : { shape: 'free' };
  if (passes) return { shape: 'new' };
  return mayThrow(symbol) ? { shape: 'malloc', mayThrow: true } : { shape: 'malloc' };
}

/** Whose allocator it is; undefined if it has none. */
export function familyOf(file: FileTraits): Family | undefined {
  const { defines, name } = file;
  if (isLoader(file)) return undefined;
  const has = (...symbols: readonly string[]) => symbols.some((symbol) => defines(symbol));
  if (has('mallocx', 'je_mallocx', '_rjem_mallocx', 'je_malloc', '_rjem_malloc')) return 'jemalloc';
  if (has('mi_malloc')) return 'mimalloc';
  if (has('tc_malloc', 'TCMallocInternalMalloc')) return 'tcmalloc';
  if (!has('malloc')) return undefined;
  // Sanitizers intercept __libc_memalign too, and their operator new does not call their malloc.
  if (isSanitizer(defines)) return 'other';
  if (has('gnu_get_libc_version', '__libc_calloc', '__libc_memalign')) return 'glibc';
  if (has('__libc_start_main') || name.startsWith('ld-musl-')) return 'musl';
  return 'other';
}

/**
 * glibc's dynamic loader has a malloc for itself until libc's is there; its memory is never freed,
 * and its name is in no other loader: musl's is the libc.
 */
function isLoader({ name }: FileTraits): boolean {
  return /^ld(-linux|64|-2\.)/.test(name);
}

/**
 * Whether its operator new gets its memory from malloc: as that of libstdc++ and libc++ does, be it
 * linked into a program. Allocators that bring an operator new bring a malloc, and do not.
 */
function passesMalloc(file: FileTraits): boolean {
  const family = familyOf(file);
  return family === undefined || family === 'glibc' || family === 'musl';
}

function cxxKind(symbol: string): 'new' | 'delete' | undefined {
  if (NEW.test(symbol) || TC_NEW.test(symbol)) return 'new';
  return DELETE.test(symbol) || TC_DELETE.test(symbol) ? 'delete' : undefined;
}

const INTERNAL_SHAPES: Readonly<Record<string, Shape>> = {
  Malloc: 'malloc',
  Calloc: 'calloc',
  Realloc: 'realloc',
  Memalign: 'aligned_alloc',
  AlignedAlloc: 'aligned_alloc',
  PosixMemalign: 'posix_memalign',
  Valloc: 'malloc',
  Pvalloc: 'malloc',
  Free: 'free',
  Cfree: 'free',
};

function internalOf(symbol: string): Wanted | undefined {
  const which = TC_INTERNAL.exec(symbol)?.[1];
  return which === undefined ? undefined : wanted(INTERNAL_SHAPES[which]);
}

const wanted = (shape: Shape | undefined): Wanted | undefined => shape && { shape };
