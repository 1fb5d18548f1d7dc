/** Runs allocations.c: the same work for the allocator again and again, each time with its cost. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { atExit } from './at-exit.js';
import type { Took } from './workload.js';

const SOURCE = fileURLToPath(new URL('../../bench/allocations.c', import.meta.url));

export class Allocations {
  readonly #undo: () => void;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(dir: string, program: string, args: readonly string[]) {
    this.#child = spawn(program, args);
    this.#undo = atExit(() => {
      this.#child.kill('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  static async start(...args: readonly string[]): Promise<Allocations> {
    const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-bench-'));
    const program = join(dir, 'allocations');
    const flags = ['-O2', '-g', '-fno-omit-frame-pointer', '-pthread', '-Wall'];
    const built = spawnSync('cc', [...flags, '-o', program, SOURCE], { encoding: 'utf8' });
    if (built.status !== 0) throw new Error(`needs a C compiler: ${built.stderr ?? built.error}`);
    const allocations = new Allocations(dir, program, args);
    await allocations.#line();
    return allocations;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async run(count: number): Promise<Took> {
    this.#child.stdin.write(`${count}\n`);
    const [cpu, wall] = (await this.#line()).split(' ').map(Number);
    return { cpu: cpu ?? Number.NaN, wall: wall ?? Number.NaN };
  }

  async stop(): Promise<void> {
    const closed = once(this.#child, 'close');
    this.#undo();
    await closed;
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the workload ended');
    return value;
  }
}
