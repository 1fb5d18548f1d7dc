import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Where what is fetched or built for tests lives, outside the repository. */
export const cacheRoot = (): string =>
  process.env.MEM_WATCHER_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'mem-watcher');

export const cachePath = (...parts: string[]): string => join(cacheRoot(), ...parts);

/**
 * Makes `path` once: `make` fills a path beside it, which is then renamed. A run that is killed
 * half way leaves nothing that looks complete.
 */
export async function cached(
  path: string,
  make: (partial: string) => void | Promise<void>,
): Promise<string> {
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const partial = `${path}.partial-${process.pid}`;
  rmSync(partial, { recursive: true, force: true });
  try {
    await make(partial);
    // Another run may have been faster; either result is good.
    if (!existsSync(path)) renameSync(partial, path);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return path;
}
