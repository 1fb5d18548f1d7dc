/**
 * A file for state that outlives the agent. Writing never holds up the event loop: where memory is
 * short, fsync takes seconds, and rings must be drained meanwhile. Readers find the old content or
 * the new, also after a power cut. At most one write is under way; of those that wait the latest
 * counts.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoCode } from './errors.js';

/** Called when its turn comes; made piece by piece, and the event loop goes on in between. */
export type Content = () => Iterable<string>;

export class StateFile {
  #current: Promise<void> | undefined;
  #waiting: { content: Content; readonly written: Promise<void> } | undefined;

  constructor(readonly path: string) {}

  /** Resolves when `content`, or what came after it, is on the disk. Rejects if that failed. */
  write(content: Content): Promise<void> {
    if (this.#waiting) {
      this.#waiting.content = content;
      return this.#waiting.written;
    }
    if (this.#current === undefined) return this.#begin(content);
    const written = this.#current.catch(() => undefined).then(() => this.#next());
    this.#waiting = { content, written };
    return written;
  }

  /** Removes what agents that were killed left half-written. */
  async removeLeftovers(): Promise<void> {
    const folder = dirname(this.path);
    const prefix = `${basename(this.path)}.new`;
    for (const name of await readdir(folder)) {
      // Before a reload has ended the agent of before may still be writing.
      if (!name.startsWith(prefix) || name.startsWith(`${prefix}-${OWN}-`)) continue;
      await rm(join(folder, name), { force: true });
    }
  }

  #next(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting ? this.#begin(waiting.content) : Promise.resolve();
  }

  #begin(content: Content): Promise<void> {
    const current = replace(this.path, content).finally(() => {
      this.#current = undefined;
    });
    this.#current = current;
    return current;
  }
}

/** In the names of this process's temporary files. */
const OWN = randomBytes(4).toString('hex');
let count = 0;

async function replace(path: string, content: Content): Promise<void> {
  const folder = dirname(path);
  const temporary = `${path}.new-${OWN}-${++count}`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    await using(await open(temporary, 'wx', 0o600), async (file) => {
      for (const piece of pieces(content())) await file.appendFile(piece);
      await file.sync();
    });
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** The new name is on the disk only once the folder is. */
async function syncFolder(folder: string): Promise<void> {
  await using(await open(folder, 'r'), (file) => file.sync()).catch((error: unknown) => {
    // Not every file system can: it does then what it does.
    if (!['EINVAL', 'ENOTSUP'].includes(errnoCode(error) ?? '')) throw error;
  });
}

async function using(file: FileHandle, use: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    await use(file);
  } finally {
    await file.close();
  }
}

/** Fewer and larger: each write is a turn of the event loop and of a thread. */
function* pieces(content: Iterable<string>): Generator<string> {
  let piece = '';
  for (const text of content) {
    piece += text;
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  yield piece;
}

/** Characters. */
const PIECE = 1 << 16;
