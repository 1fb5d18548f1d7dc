/** Runs workload.c: the same work again and again, each time with what it cost. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('../../bench/workload.c', import.meta.url));
const MEMORY_CGROUP = '/sys/fs/cgroup/memory';

export interface Took {
  /** ns of CPU, in user and kernel mode: what a busy neighbour does not change. */
  readonly cpu: number;
  /** ns by the clock. */
  readonly wall: number;
}

export interface ReadOptions {
  /** Bytes of the sparse file. */
  readonly size: number;
  /** Bytes that the process may have, page cache included. */
  readonly limit: number;
  /** From its start to its end, or page by page in an order that nobody reads ahead in. */
  readonly how?: 'read' | 'pick';
}

/** On the last CPU, so that the agent and the machine's own work may have the first. */
export class Workload {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #cleanUp: () => void;

  private constructor(child: ChildProcessWithoutNullStreams, cleanUp: () => void) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#cleanUp = cleanUp;
  }

  /** Page faults of `pages` pages a pass. */
  static async faults(pages: number): Promise<Workload> {
    const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-bench-'));
    return Workload.#start(dir, ['faults', String(pages)], undefined);
  }

  /** Reads a file that its memory cgroup has no room for. */
  static async reads({ size, limit, how = 'read' }: ReadOptions): Promise<Workload> {
    const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-bench-'));
    const file = join(dir, 'sparse');
    writeFileSync(file, '');
    truncateSync(file, size);
    return Workload.#start(dir, [how, file], limit);
  }

  static async #start(
    dir: string,
    [kind = '', what = '']: readonly string[],
    limit: number | undefined,
  ): Promise<Workload> {
    const program = join(dir, 'workload');
    const built = spawnSync('cc', ['-O2', '-Wall', '-o', program, SOURCE], { encoding: 'utf8' });
    if (built.status !== 0) throw new Error(`needs a C compiler: ${built.stderr ?? built.error}`);
    const group = limit === undefined ? undefined : limitedGroup(limit);
    const inGroup = `echo $$ > "$0" && exec "$@"`;
    const call = [program, kind, String(lastCpu()), what];
    const child =
      group === undefined
        ? spawn(program, call.slice(1))
        : spawn('sh', ['-c', inGroup, join(group, 'cgroup.procs'), ...call]);
    const workload = new Workload(child, () => {
      if (group !== undefined) rmdirSync(group);
      rmSync(dir, { recursive: true, force: true });
    });
    await workload.#line();
    return workload;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async run(passes: number): Promise<Took> {
    this.#child.stdin.write(`${passes}\n`);
    const [cpu, wall] = (await this.#line()).split(' ').map(Number);
    return { cpu: cpu ?? Number.NaN, wall: wall ?? Number.NaN };
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null) {
      const closed = once(this.#child, 'close');
      this.#child.stdin.end();
      await closed;
    }
    this.#cleanUp();
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the workload ended');
    return value;
  }
}

/** A memory cgroup of its own; v1, as this machine has it. */
function limitedGroup(limit: number): string {
  const group = join(MEMORY_CGROUP, `mem-watcher-bench-${process.pid}`);
  try {
    mkdirSync(group);
    writeFileSync(join(group, 'memory.limit_in_bytes'), String(limit));
  } catch (error) {
    throw new Error(`needs root and the memory controller at ${MEMORY_CGROUP}`, { cause: error });
  }
  return group;
}

function lastCpu(): number {
  const { stdout } = spawnSync('nproc', ['--all'], { encoding: 'utf8' });
  return Number(stdout) - 1;
}
