import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Node 18 has no `import.meta.dirname`. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const path = (...parts) => join(ROOT, ...parts);

/** Kernels and tools for tests; the same place as test/cache.ts. */
export const CACHE =
  process.env.MEM_WATCHER_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'mem-watcher');

/** The pinned Node that everything but the set-up runs under. */
export const NODE = path('node_modules/.bin/node');

/** The agent as it is run: one file. */
export const BUNDLE = path('dist/mem-watcher.js');

/**
 * What it starts to read files and memory that are not ours, by compiled module; beside it, where it looks
 * for them.
 */
export const CHILD_BUNDLES = {
  'dist/core/symbolize/symbolize-child.js': path('dist/symbolize-child.js'),
  'dist/plugins/memleak/reach/scan-child.js': path('dist/scan-child.js'),
};
