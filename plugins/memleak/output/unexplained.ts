/** Growth of a process that its recorded allocations do not explain, and who can see the rest. */
import { basename } from 'node:path';
import type { Target } from '../model.js';
import { formatSize } from './units.js';

/** Bytes: less is the allocator's own business. */
const WORTH_A_NOTE = 4 * 2 ** 20;
/** Share of the growth that recorded allocations explain, below which it is said. */
const EXPLAINED = 0.5;

/** Runtimes with memory of their own, by the name of what is executed. */
const RUNTIMES: readonly (readonly [name: RegExp, whose: string])[] = [
  [
    /^python|^pypy/,
    'Python keeps small objects in arenas of its own: PYTHONMALLOC=malloc brings them here, tracemalloc and memray see them',
  ],
  [
    /^node$|^electron|^deno|^bun$/,
    'the JavaScript heap is not malloc’s: take a heap snapshot (node --inspect)',
  ],
  [
    /^java$/,
    'the Java heap is not malloc’s: jcmd PID GC.class_histogram, and VM.native_memory for the rest',
  ],
  [
    /^(chrome|chromium|firefox)/,
    'browsers have allocators of their own: about:memory, chrome://tracing',
  ],
  [/^(ruby|irb|puma)/, 'Ruby keeps objects in slots of its own: ObjectSpace, rbtrace'],
  [/^php/, 'PHP has an allocator of its own: USE_ZEND_ALLOC=0 brings it here'],
  [/^(dotnet|mono)/, 'the .NET heap is not malloc’s: dotnet-gcdump'],
];
const ANY = 'mmap of the program’s own (--mmap), or an allocator without a known name (--function)';

/** A sentence, if much of what the process has grown by was not recorded. */
export function unexplainedOf(target: Target): string | undefined {
  const { rssAnon, rssAnonBefore, bytes, heapBytes = bytes, executable, comm, source } = target;
  if (rssAnon === undefined || rssAnonBefore === undefined || source.kind !== 'process')
    return undefined;
  const growth = rssAnon - rssAnonBefore;
  if (growth < WORTH_A_NOTE || heapBytes >= EXPLAINED * growth) return undefined;
  const [, whose = ANY] = RUNTIMES.find(([name]) => name.test(basename(executable))) ?? [];
  return (
    `${comm} (${source.pid}) has grown by ${formatSize(growth)} while watched, of which ` +
    `${formatSize(heapBytes)} are outstanding allocations: the rest is what the allocator keeps, or of another; ${whose}`
  );
}
