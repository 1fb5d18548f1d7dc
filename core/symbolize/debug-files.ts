/**
 * Where debug files lie: by build id under /usr/lib/debug/.build-id, or by the name that a file
 * gives beside it, in .debug and under /usr/lib/debug; of the process's own root before the agent's.
 */
import { closeSync } from 'node:fs';
import { dirname } from 'node:path';
import { openRegular } from './module-files.js';
import { Mounts } from './mounts.js';
import { foreignRootOf } from './process-root.js';
import type { MappedModule, ProcessMap } from './symbolizer.js';

export interface WantedDebug {
  /** Hex; empty if unknown. */
  readonly buildId: string;
  readonly link: string;
  readonly shared: boolean;
}

/** Descriptors of what there is, the likeliest first. */
export function openDebugFiles(
  map: Pick<ProcessMap, 'pid' | 'root'>,
  module: MappedModule,
  wanted: WantedDebug,
  proc = '/proc',
): number[] {
  const search = new Search(new Mounts(proc), candidates(module.path, wanted), module.inode);
  const inRoot = search.in(map.pid, `${proc}/${map.pid}/root`, []);
  // Names are remembered by the root that the process had. It may have another by now, or its pid
  // may be another's.
  const isStill = foreignRootOf(map.pid, proc) === map.root;
  if (!isStill) closeAll(inRoot);
  return search.in(process.pid, '', isStill ? inRoot : []);
}

class Search {
  readonly #seen = new Set<string>();

  constructor(
    private readonly mounts: Mounts,
    private readonly paths: readonly string[],
    /** Of the file that has no debug information itself. */
    private readonly inode: number,
  ) {}

  /** What is there in a root besides what was `found`. */
  in(pid: number, root: string, found: readonly number[]): number[] {
    const files = [...found];
    for (const path of this.paths) {
      if (files.length === MOST) break;
      if (!this.mounts.mayLookUp(pid, path)) continue;
      const file = openRegular(`${root}${path}`, ({ dev, ino, size }) => {
        const key = `${dev} ${ino}`;
        const isNew = !this.#seen.has(key) && ino !== BigInt(this.inode) && size > 0n;
        this.#seen.add(key);
        return isNew;
      });
      if (file !== undefined) files.push(file.fd);
    }
    return files;
  }
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
