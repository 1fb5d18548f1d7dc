/** Runs allocations: a process that knows what each of its call sites holds (allocations.c). */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = join(import.meta.dirname, '../../..');
export const PROGRAM = join(ROOT, 'dist/test/fakes/allocations');
/** The same, compiled without frame pointers. */
export const UNFRAMED = `${PROGRAM}-unframed`;
/** Larger than any of its functions, bytes. */
const FUNCTION = 256n;

export interface Held {
  readonly bytes: number;
  readonly count: number;
}

export class Allocations {
  readonly pid: number;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  #sites: readonly (readonly [string, bigint])[] = [];

  private constructor(private readonly path: string) {
    this.#child = spawn(path);
    this.#child.stdin.on('error', () => undefined); // it may have ended
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.pid = this.#child.pid ?? 0;
  }

  /** Why there is none here; undefined if it is built, or just was. */
  static missing(): string | undefined {
    const built = spawnSync('make', ['-s', '-C', join(ROOT, 'test/fakes')], { encoding: 'utf8' });
    if (existsSync(PROGRAM) && existsSync(UNFRAMED)) return undefined;
    return `allocations is not built: ${built.error?.message ?? built.stderr.trim()}`;
  }

  static async start(path = PROGRAM): Promise<Allocations> {
    const program = new Allocations(path);
    await program.#line();
    const words = (await program.say('sites')).split(' ').slice(1);
    program.#sites = pairs(words, 2).map(([name = '', at = '0']) => [name, BigInt(at)] as const);
    return program;
  }

  /** The program's answer. */
  async say(command: string): Promise<string> {
    this.#child.stdin.write(`${command}\n`);
    return this.#line();
  }

  /** What each site has outstanding, as the program itself counts; without those that hold nothing. */
  async held(command = 'report'): Promise<Record<string, Held>> {
    const words = (await this.say(command)).split(' ').slice(1);
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

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill(signal);
    await gone;
  }

  /** Nothing more is said: it exits by itself. */
  async end(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin.end();
    await gone;
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done)
      throw new Error(`${this.path} ended: ${this.#child.exitCode ?? this.#child.signalCode}`);
    return value;
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
