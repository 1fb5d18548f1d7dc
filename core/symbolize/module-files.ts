/**
 * The files that processes have mapped, held open by device and inode, so that a file that is
 * deleted or replaced, or whose process ends, can still be read. As many as the limit, the least
 * recently asked for is let go.
 *
 * A path is its owner's to bend: between the kernel naming it and our opening it it may become a
 * pipe, a device, another file. So it is looked at by O_PATH, which opens nothing, and only a
 * regular file of the right device and inode is then opened for reading.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  type Stats,
  writeSync,
} from 'node:fs';
import type { Closable } from '../scope.js';
import { type ElfIdentity, elfIdentityOf } from './elf-identity.js';
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
  readonly identity: ElfIdentity | undefined;
}

export class ModuleFiles implements Closable {
  readonly #limit: number;
  readonly #proc: string;
  readonly #mounts: Mounts;
  /** By device and inode; the least recently asked for is first. */
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
  hold(pid: number, module: MappedModule): ElfIdentity | undefined {
    return this.open(pid, module)?.identity;
  }

  /** The descriptor stays ours. Undefined if there is no such file any more, or it is not regular. */
  open(pid: number, module: MappedModule): HeldFile | undefined {
    if (this.#closed) return undefined;
    const isVdso = module.path === VDSO && module.inode === 0;
    if (module.inode === 0 && !isVdso) return undefined;
    // There are as many of it as kinds of processes, and they are told apart by their build id.
    const known = isVdso ? `${VDSO} ${module.buildId}` : `${module.device} ${module.inode}`;
    const found = this.#held.get(known);
    const held = found ?? (isVdso ? this.#copyVdso(pid, module) : this.#find(pid, module));
    const key = isVdso && held !== undefined ? `${VDSO} ${held.identity?.buildId}` : known;
    if (held === undefined) return undefined;
    this.#held.delete(key);
    this.#held.set(key, held);
    this.#letGo(this.#limit);
    return held;
  }

  close(): void {
    this.#closed = true;
    this.#letGo(0);
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
      if (identity?.buildId === undefined) return undefined;
      const same = this.#held.get(`${VDSO} ${identity.buildId}`);
      if (same !== undefined) return same;
      const fd = libc().memoryFile('vdso');
      writeSync(fd, image);
      return { fd, size, identity };
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
      const file = openRegular(path, (stats) => isSame(stats, module));
      if (file !== undefined) return { ...file, identity: elfIdentityOf(file.fd) };
    }
    return undefined;
  }
}

/** Opens `path` if it is a regular file that `accept` takes, without ever opening another. */
export function openRegular(
  path: string,
  accept: (stats: Stats) => boolean,
  { follow = true }: { readonly follow?: boolean } = {},
): { readonly fd: number; readonly size: number } | undefined {
  let looked: number | undefined;
  try {
    looked = openSync(path, follow ? O_PATH : O_PATH | constants.O_NOFOLLOW);
    const stats = fstatSync(looked);
    if (!stats.isFile() || !accept(stats)) return undefined;
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
    return { fd: openSync(`/proc/self/fd/${looked}`, flags), size: stats.size };
  } catch {
    return undefined;
  } finally {
    if (looked !== undefined) closeSync(looked);
  }
}

function isSame(stats: Stats, module: MappedModule): boolean {
  if (stats.ino !== module.inode) return false;
  const { major, minor } = deviceOf(stats.dev);
  if (`${hex(major)}:${hex(minor)}` === module.device) return true;
  // An overlay's files have its own device when looked at, and their layer's when mapped; of btrfs
  // each subvolume has one. Both are numbered without a major.
  return major === 0;
}

const hex = (number: number) => number.toString(16).padStart(2, '0');

/** As the kernel's new_encode_dev has it. */
function deviceOf(device: number): { readonly major: number; readonly minor: number } {
  const bits = BigInt(device);
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
