/**
 * Where debug files lie: by build id under /usr/lib/debug/.build-id, or by the name that a file
 * gives beside it, in .debug and under /usr/lib/debug; of the process's own root before the agent's.
 */
import { closeSync } from 'node:fs';
import { dirname } from 'node:path';
import { openRegular } from './module-files.js';
import { Mounts } from './mounts.js';
import type { MappedModule } from './symbolizer.js';

export interface WantedDebug {
  /** Hex; empty if unknown. */
  readonly buildId: string;
  readonly link: string;
  readonly shared: boolean;
}

/** Descriptors of what there is, the likeliest first. */
export function openDebugFiles(
  pid: number,
  module: MappedModule,
  wanted: WantedDebug,
  proc = '/proc',
): number[] {
  const found: number[] = [];
  const seen = new Set<string>();
  const mounts = new Mounts(proc);
  const roots = [
    [pid, `${proc}/${pid}/root`],
    [process.pid, ''],
  ] as const;
  for (const [whose, root] of roots) {
    for (const path of candidates(module.path, wanted)) {
      if (!mounts.mayLookUp(whose, path)) continue;
      const file = openRegular(`${root}${path}`, ({ dev, ino, size }) => {
        const key = `${dev} ${ino}`;
        const isNew = !seen.has(key) && ino !== module.inode && size > 0;
        seen.add(key);
        return isNew;
      });
      if (file !== undefined) found.push(file.fd);
      if (found.length === MOST) return found;
    }
  }
  return found;
}

/** Absolute paths. */
function candidates(path: string, { buildId, link, shared }: WantedDebug): string[] {
  const byId =
    buildId.length > 2
      ? [`${DEBUG}/.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`]
      : [];
  if (shared) {
    // What the debug file names is a path, often one that climbs from where the debug file lies.
    const name = link.replace(/^(\.\.\/)+/, '');
    const named = name.startsWith('/') ? [name] : [`${dirname(path)}/${name}`, `${DEBUG}/${name}`];
    return [...byId, ...(isPlain(name) ? named : [])];
  }
  if (link === '' || link.includes('/') || !isPlain(link) || !path.startsWith('/')) return byId;
  const folder = dirname(path);
  return [...byId, `${folder}/${link}`, `${folder}/.debug/${link}`, `${DEBUG}${folder}/${link}`];
}

/** No way out of where we look. */
const isPlain = (path: string) =>
  path.length <= 4096 && !path.includes('\0') && !path.split('/').includes('..');

export function closeAll(files: readonly number[]): void {
  for (const fd of files) closeSync(fd);
}

const DEBUG = '/usr/lib/debug';
const MOST = 4;
