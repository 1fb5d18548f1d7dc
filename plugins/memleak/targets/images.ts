import { closeSync, constants, openSync, readlinkSync } from 'node:fs';
import { ElfFile } from '../../../core/elf/elf-file.js';
import { exitSites } from '../../../core/elf/exit-sites.js';
import { readAhead } from '../../../core/elf/read-ahead.js';
import type { Closable } from '../../../core/scope.js';
import { fileIdOf } from '../../../core/symbolize/file-id.js';
import { ModuleFiles } from '../../../core/symbolize/module-files.js';
import type { MappedModule } from '../../../core/symbolize/symbolizer.js';
import { readImage } from './elf-image.js';
import type { Image, ImageFunction } from './image.js';
import type { Job } from './jobs.js';
import type { ExitsOf } from './plan.js';

export interface FoundImage {
  readonly image: Image;
  /** By which the kernel can open that very file as long as it is held. */
  readonly path: string;
  readonly exitsOf: ExitsOf;
}

interface Read {
  done: boolean;
}

/** Files that are held open: an attach opens them once more, and soon. */
const HELD = 64;
const KEPT = 4096;

/**
 * The files that processes execute, each read once: a library is in every process. What was read is
 * kept by file and version, as a file may be written over.
 */
export class Images implements Closable {
  readonly #files = new ModuleFiles({ limit: HELD });
  readonly #known = new Map<string, Image | Error>();
  /** By file, and by where a function begins. */
  readonly #exits = new WeakMap<Image, Map<number, readonly number[] | undefined>>();
  #read = 0;
  /** Under way or waiting for their turn, by version. */
  readonly #reads = new Map<string, Read>();
  #last: Promise<void> = Promise.resolve();

  constructor(
    /** Symbols to keep. */
    private readonly wanted: RegExp,
    private readonly read: typeof readImage = readImage,
  ) {}

  /**
   * Waits until the tables of files that were not read yet are in the page cache, so that reading
   * them does not hold up the event loop.
   */
  *readAhead(pid: number, modules: readonly MappedModule[]): Job {
    const reads = modules.flatMap((module) => this.#ahead(pid, module) ?? []);
    while (reads.some(({ done }) => !done)) yield 'wait';
  }

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
    const exitsOf = (fn: ImageFunction) => this.#exitsOf(held.fd, image, fn);
    return { image, path: `/proc/self/fd/${held.fd}`, exitsOf };
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

  #ahead(pid: number, module: MappedModule): Read | undefined {
    const held = this.#files.open(pid, module);
    if (held === undefined || this.#known.has(held.id.version)) return undefined;
    const begun = this.#reads.get(held.id.version);
    if (begun !== undefined) return begun;
    const read: Read = { done: false };
    this.#reads.set(held.id.version, read);
    // One at a time: libuv's threads are not ours alone.
    this.#last = this.#last
      .then(() => this.#warm(pid, module))
      .finally(() => {
        read.done = true;
        this.#reads.delete(held.id.version);
      });
    return read;
  }

  /** Never rejects: what cannot be opened now is read when it is needed, and the next has its turn. */
  async #warm(pid: number, module: MappedModule): Promise<void> {
    const own = this.#reopened(pid, module);
    if (own === undefined) return;
    try {
      await readAhead(own);
    } finally {
      closeSync(own);
    }
  }

  /** A descriptor of its own: ours may be closed while it is read. */
  #reopened(pid: number, module: MappedModule): number | undefined {
    const held = this.#files.open(pid, module);
    try {
      return held && openSync(`/proc/self/fd/${held.fd}`, constants.O_RDONLY);
    } catch {
      return undefined; // EMFILE, ESTALE
    }
  }

  /** Looked for when they are needed, and kept with the image. */
  #exitsOf(fd: number, image: Image, fn: ImageFunction): readonly number[] | undefined {
    const known = this.#exits.get(image) ?? new Map<number, readonly number[] | undefined>();
    this.#exits.set(image, known);
    if (!known.has(fn.entry)) {
      const file = ElfFile.open(fd);
      try {
        known.set(fn.entry, exitSites(file, { offset: fn.entry, size: fn.size }));
      } finally {
        file.close();
      }
    }
    return known.get(fn.entry);
  }

  #imageOf(fd: number): Image {
    const { version } = fileIdOf(fd);
    const image = this.#known.get(version) ?? this.#remember(version, fd);
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
