import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
export const path = (...parts) => join(ROOT, ...parts);

/** Kernels and tools for tests; the same place as test/cache.ts. */
export const CACHE =
  process.env.MEM_WATCHER_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'mem-watcher');

/** The pinned Node that everything but the set-up runs under. */
export const NODE = path('node_modules/.bin/node');

/** The agent as it is run: one file. */
export const BUNDLE = path('dist/mem-watcher.js');

/** What it starts to read files that are not ours; beside it, where it looks for it. */
export const CHILD_BUNDLE = path('dist/symbolize-child.js');
