/** The JIT maps of processes, a few at a time. */
import { closeSync } from 'node:fs';
import { openRegular } from './module-files.js';
import { Mounts } from './mounts.js';
import { type JitFunction, PerfMap } from './perf-map.js';
import type { MappedModule, ProcessMap } from './symbolizer.js';

export class JitNames {
  readonly #proc: string;
  readonly #mounts: Mounts;
  /** By pid and user; the least recently asked for first. */
  readonly #maps = new Map<string, PerfMap>();

  constructor(proc: string) {
    this.#proc = proc;
    this.#mounts = new Mounts(proc);
  }

  /** By address; absent of what no map tells. */
  async find(map: ProcessMap, addresses: readonly bigint[]): Promise<Map<bigint, JitFunction>> {
    const found = new Map<bigint, JitFunction>();
    const names = await this.#refreshed(map);
    for (const address of addresses) {
      const known = names?.find(address);
      if (known !== undefined) found.set(address, known);
    }
    return found;
  }

  async #refreshed(map: ProcessMap): Promise<PerfMap | undefined> {
    const { pid, innerPid, user } = map;
    const key = `${pid} ${innerPid} ${user}`;
    const known = this.#maps.get(key) ?? new PerfMap();
    const file = this.#open(map);
    if (file === undefined) return this.#maps.get(key);
    try {
      await known.refresh(file.fd, file.size);
    } finally {
      closeSync(file.fd);
    }
    this.#maps.delete(key);
    this.#maps.set(key, known);
    this.#letGo();
    return known;
  }

  /** As the process sees it, or as we do. Only its own user may have written it. */
  #open({ pid, innerPid, user }: ProcessMap) {
    const paths = [
      ...(this.#mounts.mayLookUp(pid, '/tmp')
        ? [`${this.#proc}/${pid}/root/tmp/perf-${innerPid}.map`]
        : []),
      ...(this.#mounts.mayLookUp(process.pid, '/tmp') ? [`/tmp/perf-${pid}.map`] : []),
    ];
    for (const path of paths) {
      const file = openRegular(path, ({ uid }) => uid === user, { follow: false });
      if (file !== undefined) return file;
    }
    return undefined;
  }

  #letGo(): void {
    let size = 0;
    for (const map of this.#maps.values()) size += map.size;
    for (const [key, map] of this.#maps) {
      if (size <= MAX_BYTES || this.#maps.size === 1) return;
      size -= map.size;
      this.#maps.delete(key);
    }
  }
}

/** Whether a JIT may have put code there: memory of no file, or of one that has no name. */
export function isJit({ path, inode, deleted }: MappedModule): boolean {
  if (path.startsWith('/memfd:') || (path === '/dev/zero' && deleted)) return true;
  return inode === 0 && (path === '' || path.startsWith('//anon') || path.startsWith('[anon:'));
}

/** Of all maps together. */
const MAX_BYTES = 1 << 26;
