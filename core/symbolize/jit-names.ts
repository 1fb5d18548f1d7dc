/** The JIT maps of processes, a few at a time. */
import { closeSync } from 'node:fs';
import { openRegular } from './module-files.js';
import { Mounts } from './mounts.js';
import { type JitFunction, PerfMap } from './perf-map.js';
import type { MappedModule, ProcessMap } from './symbolizer.js';

interface Known {
  /** The file that it was read from. */
  readonly id: string;
  readonly names: PerfMap;
}

export class JitNames {
  readonly #proc: string;
  readonly #mounts: Mounts;
  /** By process and user; the least recently asked for first. */
  readonly #maps = new Map<string, Known>();

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
    const { pid, startTicks, innerPid, user } = map;
    const key = `${pid}@${startTicks} ${innerPid} ${user}`;
    const known = this.#maps.get(key);
    const file = this.#open(map);
    if (file === undefined) return known?.names;
    const id = file.id.file;
    // What is added to one file is not the rest of another.
    const names = known?.id === id ? known.names : new PerfMap();
    try {
      await names.refresh(file.fd, file.size);
    } finally {
      closeSync(file.fd);
    }
    this.#maps.delete(key);
    this.#maps.set(key, { id, names });
    this.#letGo();
    return names;
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
      const file = openRegular(path, ({ uid }) => uid === BigInt(user), { follow: false });
      if (file !== undefined) return file;
    }
    return undefined;
  }

  #letGo(): void {
    let size = 0;
    for (const { names } of this.#maps.values()) size += names.size;
    for (const [key, { names }] of this.#maps) {
      if (size <= MAX_BYTES || this.#maps.size === 1) return;
      size -= names.size;
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
