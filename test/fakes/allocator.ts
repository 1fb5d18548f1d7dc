/** Starts allocator: a process that knows to the byte what it holds of each call site (allocator.c). */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = join(import.meta.dirname, '../../..');

/** Linked with everything in it, or with the C library of whoever runs it. */
export const LINKAGES = ['allocator', 'allocator-dynamic'] as const;
export type Linkage = (typeof LINKAGES)[number];

const programOf = (linkage: Linkage): string => join(ROOT, 'dist/test/fakes', linkage);

/** What is held of one call site. */
export interface Held {
  readonly name: string;
  /** Where the function begins that calls the allocator. */
  readonly address: bigint;
  readonly count: number;
  readonly bytes: number;
}

export class Allocator {
  readonly pid: number;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  #complaint = '';
  #sites: readonly Held[] = [];
  #end = 0n;

  private constructor(linkage: Linkage, args: readonly string[]) {
    const child = spawn(programOf(linkage), args);
    child.stderr.on('data', (data) => {
      this.#complaint += data;
    });
    child.stdin.on('error', () => undefined); // it may have been killed
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.pid = child.pid ?? 0;
  }

  /** Why there is none here; undefined if it is built, or just was. */
  static missing(): string | undefined {
    const built = spawnSync('make', ['-s', '-C', join(ROOT, 'test/fakes')], { encoding: 'utf8' });
    if (LINKAGES.every((linkage) => existsSync(programOf(linkage)))) return undefined;
    return `allocator is not built: ${built.error?.message ?? built.stderr.trim()}`;
  }

  /** Resolves when its threads stand still and have allocated nothing yet. */
  static async start(linkage: Linkage, ...args: readonly (string | number)[]): Promise<Allocator> {
    const allocator = new Allocator(linkage, args.map(String));
    const word = await allocator.#line();
    if (word !== 'ready') throw new Error(`it said ${word}, not ready`);
    return allocator;
  }

  /** Lets it work; resolves with what it holds when all threads stand still again. */
  async work(): Promise<readonly Held[]> {
    this.#child.stdin.write('go\n');
    const sites: Held[] = [];
    for (let line = await this.#line(); line !== 'done'; line = await this.#line()) {
      const [name = '', ...figures] = line.split(' ');
      if (name === 'sites') {
        this.#end = BigInt(figures[1] ?? 0);
        continue;
      }
      const [address = '0', count, bytes] = figures;
      sites.push({ name, address: BigInt(address), count: Number(count), bytes: Number(bytes) });
    }
    this.#sites = sites.sort((a, b) => (a.address < b.address ? -1 : 1));
    return sites;
  }

  /** The call site that an address on the stack belongs to; undefined of libraries. */
  siteOf(address: bigint): Held | undefined {
    if (address >= this.#end) return undefined;
    return this.#sites.findLast((site) => site.address < address);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`allocator ended: ${this.#complaint}`);
    return value;
  }
}
