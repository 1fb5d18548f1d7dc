/**
 * The files that processes have mapped, held open, so that a file that is deleted or replaced, or
 * whose process ends, can still be read. As many as the limit, the least recently asked for is let
 * go. A file is told by `fileIdOf`, never by what is written in it: what was read when a process was
 * looked at must be the same file when it is asked for again.
 *
 * A path is its owner's to bend: between the kernel naming it and our opening it it may become a
 * pipe, a device, another file. So it is looked at by O_PATH, which opens nothing, and only a
 * regular file of the right device and inode is then opened for reading.
 */
import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { Closable } from '../scope.js';
import { type ElfIdentity, elfIdentityOf } from './elf-identity.js';
import { type FileId, fileIdOf } from './file-id.js';
import { libc } from './libc.js';
import { Mounts } from './mounts.js';
import type { MappedModule } from './symbolizer.js';

export interface ModuleFilesOptions {
  /** Files. */
  readonly limit?: number;
  readonly proc?: string;
}

export interface HeldFile {
  readonly fd: number;
  readonly size: number;
  readonly id: FileId;
  readonly identity: ElfIdentity | undefined;
}

/** What a module's file says of itself, and which file it is. */
export type HeldModule = Pick<MappedModule, 'file' | 'buildId' | 'segments'>;

export class ModuleFiles implements Closable {
  readonly #limit: number;
  readonly #proc: string;
  readonly #mounts: Mounts;
  /** By version of the file; the least recently asked for is first. */
  readonly #held = new Map<string, HeldFile>();
  #closed = false;

  constructor({ limit = 512, proc = '/proc' }: ModuleFilesOptions = {}) {
    this.#limit = limit;
    this.#proc = proc;
    this.#mounts = new Mounts(proc);
  }

  /** Files that are open. */
  get count(): number {
    return this.#held.size;
  }

  /** Opens the module's file and keeps it; what it says of itself. */
  hold(pid: number, module: MappedModule): HeldModule | undefined {
    const held = this.open(pid, module);
    return held && { file: held.id.version, ...held.identity };
  }

  /**
   * The descriptor stays ours. Undefined if there is no such file any more, it is not regular, or it
   * is another than when the module was read.
   */
  open(pid: number, module: MappedModule): HeldFile | undefined {
    if (this.#closed) return undefined;
    const isVdso = module.path === VDSO && module.inode === 0;
    if (module.inode === 0 && !isVdso) return undefined;
    const held =
      this.#known(module) ?? (isVdso ? this.#copyVdso(pid, module) : this.#find(pid, module));
    if (held === undefined) return undefined;
    this.#held.delete(held.id.version);
    this.#held.set(held.id.version, held);
    this.#letGo(this.#limit);
    return isOf(module, held) ? held : undefined;
  }

  close(): void {
    this.#closed = true;
    this.#letGo(0);
  }

  /** What is held of it; one that was written over, renamed or deleted has another version by now. */
  #known(module: MappedModule): HeldFile | undefined {
    const { file, inode } = module;
    if (file === undefined) return undefined;
    const held =
      this.#held.get(file) ?? [...this.#held.values()].find(({ id }) => isFile(module, id));
    if (held === undefined || inode === 0) return held;
    const id = fileIdOf(held.fd);
    if (id.version === held.id.version) return held;
    this.#held.delete(held.id.version);
    const same = this.#held.get(id.version);
    if (same === undefined) return { ...held, id, identity: elfIdentityOf(held.fd) };
    closeSync(held.fd);
    return same;
  }

  /** It is in memory only, and so it is copied into a file that is nowhere. */
  #copyVdso(pid: number, { start, end }: MappedModule): HeldFile | undefined {
    const size = Number(end - start);
    if (size > MAX_VDSO) return undefined;
    try {
      const memory = openSync(`${this.#proc}/${pid}/mem`, constants.O_RDONLY);
      const image = Buffer.alloc(size);
      try {
        readSync(memory, image, 0, size, Number(start));
      } finally {
        closeSync(memory);
      }
      const identity = elfIdentityOf(image);
      if (identity === undefined) return undefined;
      // There are as many of it as kinds of processes, and a process may write into its own.
      const version = `${VDSO} ${createHash('sha256').update(image).digest('hex')}`;
      const same = this.#held.get(version);
      if (same !== undefined) return same;
      const fd = libc().memoryFile('vdso');
      writeSync(fd, image);
      return { fd, size, id: { file: version, version }, identity };
    } catch {
      return undefined;
    }
  }

  #letGo(limit: number): void {
    for (const [key, { fd }] of this.#held) {
      if (this.#held.size <= limit) return;
      this.#held.delete(key);
      closeSync(fd);
    }
  }

  #find(pid: number, module: MappedModule): HeldFile | undefined {
    if (this.#mounts.isRemoteDevice(pid, module.device)) return undefined;
    const own = `${this.#proc}/${pid}`;
    const range = `${module.start.toString(16)}-${module.end.toString(16)}`;
    const mapped = `${own}/map_files/${range}`;
    const { path: name, deleted } = module;
    const named = name.startsWith('/') && !deleted;
    // First what looks up no path. The last is for who has gone, and for files that host and
    // container share.
    const paths = [
      mapped,
      ...(named && this.#mounts.mayLookUp(pid, name) ? [`${own}/root${name}`] : []),
      ...(named && this.#mounts.mayLookUp(process.pid, name) ? [name] : []),
    ];
    for (const path of paths) {
      let same: HeldFile | undefined;
      const file = openRegular(path, (stats) => {
        const id = fileIdOf(stats);
        if (!isSame(stats, module) || !isFile(module, id)) return false;
        same = this.#held.get(id.version);
        return same === undefined;
      });
      if (same !== undefined) return same;
      if (file !== undefined) return { ...file, identity: elfIdentityOf(file.fd) };
    }
    return undefined;
  }
}

/** Whether it may be the file that the module was read from, written over or not. */
const isFile = ({ file }: MappedModule, id: FileId): boolean =>
  file === undefined || file === id.version || file.startsWith(`${id.file} `);

/** Whether it says what the module's file said when it was read. */
function isOf(module: MappedModule, { id, identity }: HeldFile): boolean {
  if (module.file === undefined || module.file === id.version) return true;
  const { buildId, segments } = identity ?? {};
  return (
    isFile(module, id) && buildId === module.buildId && isDeepStrictEqual(segments, module.segments)
  );
}

/** Opens `path` if it is a regular file that `accept` takes, without ever opening another. */
export function openRegular(
  path: string,
  accept: (stats: BigIntStats) => boolean,
  { follow = true }: { readonly follow?: boolean } = {},
): { readonly fd: number; readonly size: number; readonly id: FileId } | undefined {
  let looked: number | undefined;
  try {
    looked = openSync(path, follow ? O_PATH : O_PATH | constants.O_NOFOLLOW);
    const stats = fstatSync(looked, { bigint: true });
    if (!stats.isFile() || !accept(stats)) return undefined;
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
    const fd = openSync(`/proc/self/fd/${looked}`, flags);
    return { fd, size: Number(stats.size), id: fileIdOf(stats) };
  } catch {
    return undefined;
  } finally {
    if (looked !== undefined) closeSync(looked);
  }
}

function isSame(stats: BigIntStats, module: MappedModule): boolean {
  if (stats.ino !== BigInt(module.inode)) return false;
  const { major, minor } = deviceOf(stats.dev);
  if (`${hex(major)}:${hex(minor)}` === module.device) return true;
  // An overlay's files have its own device when looked at, and their layer's when mapped; of btrfs
  // each subvolume has one. Both are numbered without a major.
  return major === 0;
}

const hex = (number: number) => number.toString(16).padStart(2, '0');

/** As the kernel's new_encode_dev has it. */
function deviceOf(bits: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & 0xfffff000n)),
    minor: Number((bits & 0xffn) | ((bits >> 12n) & 0xffffff00n)),
  };
}

/** Of Linux on every architecture that Node runs on; Node does not name it. */
const O_PATH = 0o10000000;
const VDSO = '[vdso]';
/** Bytes; it has two pages. */
const MAX_VDSO = 1 << 18;
