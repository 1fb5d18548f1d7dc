/** Runs allocations: a process that knows what each of its call sites holds (allocations.c). */
import { readFileSync } from 'node:fs';
import { LineProgram } from './line-program.js';
import { programMissing, programOf } from './programs.js';

const NAME = 'allocations';
export const PROGRAM = programOf(NAME);
/** The same, compiled without frame pointers. */
const UNFRAMED_NAME = `${NAME}-unframed`;
export const UNFRAMED = programOf(UNFRAMED_NAME);
/** Larger than any of its functions, bytes. */
const FUNCTION = 256n;

export interface Held {
  readonly bytes: number;
  readonly count: number;
}

export class Allocations extends LineProgram {
  #sites: readonly (readonly [string, bigint])[] = [];

  /** Why there is none here; undefined if it is built, or just was. */
  static missing = (): string | undefined => programMissing(NAME, UNFRAMED_NAME);

  static async start(path = PROGRAM): Promise<Allocations> {
    const program = new Allocations(path);
    return Allocations.begun(program, async () => {
      await program.line();
      const words = (await program.ask('sites')).split(' ').slice(1);
      program.#sites = pairs(words, 2).map(([name = '', at = '0']) => [name, BigInt(at)] as const);
    });
  }

  /** What each site has outstanding, as the program itself counts; without those that hold nothing. */
  async held(command = 'report'): Promise<Record<string, Held>> {
    const words = (await this.ask(command)).split(' ').slice(1);
    const held: Record<string, Held> = {};
    for (const [name = '', bytes, count] of pairs(words, 3)) {
      if (count !== '0') held[name] = { bytes: Number(bytes), count: Number(count) };
    }
    return held;
  }

  /** The site whose code holds the address; undefined of code of another's. */
  siteOf(address: bigint): string | undefined {
    let closest: readonly [string, bigint] | undefined;
    for (const site of this.#sites) {
      if (site[1] < address && site[1] > (closest?.[1] ?? 0n)) closest = site;
    }
    return closest && address - closest[1] < FUNCTION ? closest[0] : undefined;
  }
}

/** Of /proc/PID/stat, ns since boot in ticks of 10 ms. */
export function startTimeOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]) * 1e7;
}

/** What is mapped executable. */
export function codeOf(pid: number): { start: bigint; end: bigint }[] {
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8');
  return [...maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) ..x/gm)].map(([, start, end]) => ({
    start: BigInt(`0x${start}`),
    end: BigInt(`0x${end}`),
  }));
}

function pairs(words: readonly string[], size: number): string[][] {
  return Array.from({ length: words.length / size }, (_, n) =>
    words.slice(n * size, (n + 1) * size),
  );
}
