import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;

/**
 * A cpio archive in the kernel's format (newc), written in memory: an initramfs needs neither a
 * staging directory nor root. Parent directories are made as needed.
 */
export class CpioArchive {
  readonly #chunks: Buffer[] = [];
  readonly #seen = new Set<string>();
  #inode = 1;

  directory(path: string): this {
    const name = clean(path);
    if (name === '' || this.#seen.has(name)) return this;
    this.directory(dirname(name));
    this.#entry(name, S_IFDIR | 0o755, Buffer.alloc(0));
    return this;
  }

  file(path: string, content: Buffer | string, mode = 0o644): this {
    const name = clean(path);
    if (this.#seen.has(name)) return this;
    this.directory(dirname(name));
    this.#entry(name, S_IFREG | mode, Buffer.from(content));
    return this;
  }

  link(path: string, target: string): this {
    const name = clean(path);
    if (this.#seen.has(name)) return this;
    this.directory(dirname(name));
    this.#entry(name, S_IFLNK | 0o777, Buffer.from(target));
    return this;
  }

  /** A file, or everything under a directory for which `keep` holds. */
  copy(from: string, to: string, keep: (path: string) => boolean = () => true): this {
    const stat = lstatSync(from);
    if (!keep(from)) return this;
    if (stat.isSymbolicLink()) return this.link(to, readlinkSync(from));
    if (!stat.isDirectory()) return this.file(to, readFileSync(from), stat.mode & 0o777);
    this.directory(to);
    for (const name of readdirSync(from).sort()) {
      this.copy(join(from, name), posix.join(to, name), keep);
    }
    return this;
  }

  /** Archives can be concatenated: the kernel reads one after the other. */
  build(): Buffer {
    return Buffer.concat([...this.#chunks, header('TRAILER!!!', 0, 0, 0), pad(0)]);
  }

  #entry(name: string, mode: number, content: Buffer): void {
    this.#seen.add(name);
    this.#chunks.push(header(name, this.#inode++, mode, content.length), content);
    this.#chunks.push(pad(content.length));
  }
}

const clean = (path: string): string => path.replace(/^[./]+/, '').replace(/\/$/, '');

const pad = (length: number): Buffer => Buffer.alloc(-length & 3);

function header(name: string, inode: number, mode: number, size: number): Buffer {
  const hex = (value: number) => value.toString(16).padStart(8, '0');
  const links = mode & S_IFDIR && !(mode & S_IFREG & ~S_IFDIR) ? 2 : 1;
  const fields = [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name.length + 1, 0];
  const text = Buffer.from(`070701${fields.map(hex).join('')}${name}\0`);
  return Buffer.concat([text, pad(text.length)]);
}
