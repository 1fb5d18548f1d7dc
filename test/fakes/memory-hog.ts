/** Starts memory-hog: a process whose memory is known to the page (memory-hog.c says what it can). */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = join(import.meta.dirname, '../../..');
const PROGRAM = join(ROOT, 'dist/test/fakes/memory-hog');

export type HogOptions = Readonly<Record<string, number | string>>;

export class MemoryHog {
  readonly pid: number;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  #complaint = '';

  private constructor(options: HogOptions) {
    const child = spawn(
      PROGRAM,
      Object.entries(options).map(([key, value]) => `${key}=${value}`),
    );
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
    if (existsSync(PROGRAM)) return undefined;
    return `memory-hog is not built: ${built.error?.message ?? built.stderr.trim()}`;
  }

  /** Resolves once its memory is as asked for and it stands still. */
  static async start(options: HogOptions): Promise<MemoryHog> {
    const hog = new MemoryHog(options);
    await hog.#expect('ready');
    return hog;
  }

  /** Touches the pages of `grow`, then stands still again. */
  async grow(): Promise<void> {
    this.#child.stdin.write('g');
    await this.#expect('grown');
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('close', resolve));
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await gone;
  }

  async #expect(word: string): Promise<void> {
    const { value } = await this.#lines.next();
    if (value !== word)
      throw new Error(`memory-hog said ${value}, not ${word}: ${this.#complaint}`);
    while (!this.#sleeps()) await sleep(5);
  }

  #sleeps(): boolean {
    return readdirSync(`/proc/${this.pid}/task`).every((task) => {
      const stat = readFileSync(`/proc/${this.pid}/task/${task}/stat`, 'utf8');
      return 'SZ'.includes(stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '');
    });
  }
}
