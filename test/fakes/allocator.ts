/** Starts allocator: a process that knows to the byte what it holds of each call site (allocator.c). */
import { LineProgram } from './line-program.js';
import { programMissing, programOf } from './programs.js';

/** Linked with everything in it, or with the C library of whoever runs it. */
export const LINKAGES = ['allocator', 'allocator-dynamic'] as const;
export type Linkage = (typeof LINKAGES)[number];

/** What is held of one call site. */
export interface Held {
  readonly name: string;
  /** Where the function begins that calls the allocator. */
  readonly address: bigint;
  readonly count: number;
  readonly bytes: number;
}

export class Allocator extends LineProgram {
  #sites: readonly Held[] = [];
  #end = 0n;

  /** Why there is none here; undefined if it is built, or just was. */
  static missing = (): string | undefined => programMissing(...LINKAGES);

  /** Resolves when its threads stand still and have allocated nothing yet. */
  static async start(linkage: Linkage, ...args: readonly (string | number)[]): Promise<Allocator> {
    const allocator = new Allocator(programOf(linkage), args.map(String));
    return Allocator.begun(allocator, () => allocator.expect('ready'));
  }

  /** Lets it work; resolves with what it holds when all threads stand still again. */
  async work(): Promise<readonly Held[]> {
    this.tell('go');
    const sites: Held[] = [];
    for (let line = await this.line(); line !== 'done'; line = await this.line()) {
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
}
