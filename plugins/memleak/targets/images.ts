import { fstatSync, readlinkSync } from 'node:fs';
import type { Closable } from '../../../core/scope.js';
import { ModuleFiles } from '../../../core/symbolize/module-files.js';
import type { MappedModule } from '../../../core/symbolize/symbolizer.js';
import { readImage } from './elf-image.js';
import type { Image } from './image.js';

export interface FoundImage {
  readonly image: Image;
  /** By which the kernel can open that very file as long as it is held. */
  readonly path: string;
}

/** Files that are held open: an attach opens them once more, and soon. */
const HELD = 64;
const KEPT = 4096;

/**
 * The files that processes execute, each read once: a library is in every process. What was read is
 * kept by device and inode, with time and size of the last change, as a file may be written over.
 */
export class Images implements Closable {
  readonly #files = new ModuleFiles({ limit: HELD });
  readonly #known = new Map<string, Image | Error>();
  #read = 0;

  constructor(
    /** Symbols to keep. */
    private readonly wanted: RegExp,
    private readonly read: typeof readImage = readImage,
  ) {}

  /** Files that were read, since the beginning. */
  get reads(): number {
    return this.#read;
  }

  /**
   * undefined if there is no such file any more, or it is not regular. Throws what makes it
   * unreadable: the same each time, without reading it again.
   */
  find(pid: number, module: MappedModule): FoundImage | undefined {
    const held = this.#files.open(pid, module);
    if (held === undefined) return undefined;
    const image = this.#imageOf(held.fd);
    return { image, path: `/proc/self/fd/${held.fd}` };
  }

  /**
   * The program that the process runs, one of `modules`; undefined if it is gone, hidden or where
   * opening it could wait for ever. Throws as `find`.
   */
  program(pid: number, modules: readonly MappedModule[]): Image | undefined {
    const path = executableOf(pid);
    const module = modules.find((one) => one.path === path && one.inode !== 0);
    return module && this.find(pid, module)?.image;
  }

  #imageOf(fd: number): Image {
    const { dev, ino, mtimeNs, size } = fstatSync(fd, { bigint: true });
    const key = `${dev} ${ino} ${mtimeNs} ${size}`;
    const image = this.#known.get(key) ?? this.#remember(key, fd);
    if (image instanceof Error) throw image;
    return image;
  }

  close(): void {
    this.#files.close();
    this.#known.clear();
  }

  #remember(key: string, fd: number): Image | Error {
    this.#read++;
    const image = this.#tryRead(fd);
    const [oldest] = this.#known.keys();
    if (this.#known.size >= KEPT && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, image);
    return image;
  }

  #tryRead(fd: number): Image | Error {
    try {
      return this.read(fd, this.wanted);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}

/** As the kernel names it, which asks no file system; spelled as the map of a process is read. */
function executableOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`)
      .replace(/ \(deleted\)$/, '')
      .replaceAll('\\012', '\n');
  } catch {
    return undefined;
  }
}
