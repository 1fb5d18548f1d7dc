import { readdirSync, statSync } from 'node:fs';
import { type CgroupMount, cgroupMounts, folderOf } from './cgroup-mount.js';

/** Bounds of one walk. */
export interface WalkLimits {
  /** Folders. */
  readonly entries: number;
  readonly ms: number;
}

const LIMITS: WalkLimits = { entries: 20_000, ms: 500 };
/** At most this share of the time goes into walks, however many ids are asked for. */
const SHARE = 0.02;

/** Ids known to be absent; beyond it they are searched again. */
const ABSENT = 10_000;

/** What is read of the file system; for tests. */
export interface CgroupFiles {
  mounts(): readonly CgroupMount[];
  /** Names of the folders in it; none if it is gone. */
  folders(folder: string): readonly string[];
  /** undefined if it is gone. */
  inode(folder: string): bigint | undefined;
  /** ms, never backwards. */
  clock(): number;
}

/**
 * The cgroups of one hierarchy by id, which is the inode of the cgroup's folder: for those that no
 * living process can be asked about. A walk learns all of them, so that the next ids cost nothing.
 * Ids are not used again (a counter of 64 bits), so what was learnt of a cgroup stays true when it
 * is removed.
 */
export class CgroupTree {
  readonly #mounts: readonly CgroupMount[];
  /** Of the last walk, and of the one before: what was removed in between. */
  #paths = new Map<number, string>();
  #before = new Map<number, string>();
  /** A whole walk did not show them: they are gone, or not visible from here. */
  readonly #absent = new Set<number>();
  #mayWalk = Number.NEGATIVE_INFINITY;
  #cutShort = false;

  constructor(
    controller: string | undefined,
    private readonly files: CgroupFiles = liveFiles,
    private readonly limits: WalkLimits = LIMITS,
  ) {
    this.#mounts = widest(files.mounts().filter((mount) => mount.controller === controller));
  }

  /** The last walk ended at one of its bounds, so that there may be cgroups that it has not seen. */
  get cutShort(): boolean {
    return this.#cutShort;
  }

  /**
   * The path of the cgroup; undefined if the file system does not show it, or was searched too
   * short a while ago.
   */
  find(id: number): string | undefined {
    const known = this.#known(id);
    if (known !== undefined || this.#absent.has(id)) return known;
    if (this.files.clock() < this.#mayWalk) return undefined;
    this.#walk();
    const found = this.#known(id);
    if (found === undefined && !this.#cutShort) this.#rememberAbsent(id);
    return found;
  }

  /**
   * Whether the cgroup of that path has that id, as its folder says; undefined if no folder says
   * it: removed, or not visible from here.
   */
  confirms(path: string, id: number): boolean | undefined {
    const own = this.idOf(path);
    return own === undefined ? undefined : own === id;
  }

  /** The id of the cgroup of that path, as its folder says; undefined if no folder says it. */
  idOf(path: string): number | undefined {
    for (const mount of this.#mounts) {
      const folder = folderOf(mount, path);
      const inode = folder === undefined ? undefined : this.files.inode(folder);
      if (inode !== undefined) return Number(inode);
    }
    return undefined;
  }

  #rememberAbsent(id: number): void {
    if (this.#absent.size >= ABSENT) this.#absent.clear();
    this.#absent.add(id);
  }

  #known(id: number): string | undefined {
    return this.#paths.get(id) ?? this.#before.get(id);
  }

  /** Breadth first: what is deep is where bounds may cut. */
  #walk(): void {
    const began = this.files.clock();
    const found = new Map<number, string>();
    const waiting = this.#mounts.map(({ root, point }) => ({ path: root, folder: point }));
    this.#cutShort = false;
    for (let at = 0; at < waiting.length; at++) {
      if (at >= this.limits.entries || this.files.clock() - began > this.limits.ms) {
        this.#cutShort = true;
        break;
      }
      const { path, folder } = waiting[at] as (typeof waiting)[number];
      const inode = this.files.inode(folder);
      if (inode === undefined) continue;
      if (!found.has(Number(inode))) found.set(Number(inode), path);
      for (const name of this.files.folders(folder)) {
        waiting.push({ path: `${path === '/' ? '' : path}/${name}`, folder: `${folder}/${name}` });
      }
    }
    this.#before = this.#paths;
    this.#paths = found;
    const now = this.files.clock();
    this.#mayWalk = now + (now - began) / SHARE;
  }
}

/** Without the mounts that show nothing but a part of another: containers have them by the dozen. */
function widest(mounts: readonly CgroupMount[]): CgroupMount[] {
  const chosen: CgroupMount[] = [];
  for (const mount of mounts.toSorted((a, b) => a.root.length - b.root.length)) {
    if (!chosen.some((wider) => folderOf(wider, mount.root) !== undefined)) chosen.push(mount);
  }
  return chosen;
}

export const liveFiles: CgroupFiles = {
  mounts() {
    try {
      return cgroupMounts();
    } catch {
      return []; // no /proc: nothing can be found
    }
  },
  folders(folder) {
    try {
      return readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name);
    } catch {
      return []; // removed meanwhile
    }
  },
  inode(folder) {
    try {
      return statSync(folder, { bigint: true }).ino;
    } catch {
      return undefined;
    }
  },
  clock: () => performance.now(),
};
