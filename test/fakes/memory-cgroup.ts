/** A cgroup with a limit of memory, of either version, that is gone when the test is. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const V1 = '/sys/fs/cgroup/memory';
const V2 = '/sys/fs/cgroup';
const BUSY_MS = 10_000;

export interface MemoryCgroupOptions {
  /** Below the root of the hierarchy; what is missing on the way is made, and removed. */
  readonly path?: string;
  /** Bytes: memory.limit_in_bytes or memory.max. */
  readonly limit?: number;
  /** Bytes: memory.high; not of version 1. */
  readonly high?: number;
}

/** Groups that a test left behind; also when it was thrown out of. */
const open = new Set<MemoryCgroup>();
process.on('exit', () => {
  for (const group of open) group.remove();
});
let made = 0;

export class MemoryCgroup {
  readonly version: 1 | 2;
  readonly dir: string;
  /** Below the root of the hierarchy, as /proc/PID/cgroup says it. */
  readonly path: string;
  readonly #made: string[] = [];

  private constructor(version: 1 | 2, path: string) {
    this.version = version;
    this.path = `/${path}`;
    this.dir = join(version === 1 ? V1 : V2, path);
  }

  /** Which version holds the memory controller here; undefined: none that we may use. */
  static get version(): 1 | 2 | undefined {
    if (existsSync(join(V1, 'memory.limit_in_bytes'))) return 1;
    const controllers = join(V2, 'cgroup.subtree_control');
    return existsSync(controllers) && readFileSync(controllers, 'utf8').includes('memory')
      ? 2
      : undefined;
  }

  /** Why there can be none here. */
  static missing(): string | undefined {
    const { version } = MemoryCgroup;
    if (version === undefined) return 'no memory controller of cgroups here';
    try {
      MemoryCgroup.make({}).remove();
      return undefined;
    } catch (error) {
      return `no cgroup can be made here: ${error instanceof Error ? error.message : error}`;
    }
  }

  /**
   * Nothing in it is killed for want of memory: version 1 lets a group say so; of version 2 the
   * process says it, by `oom=-1000`.
   */
  static make({ path, limit, high }: MemoryCgroupOptions): MemoryCgroup {
    const version = MemoryCgroup.version ?? 2;
    const name = path ?? `mem-watcher-test-${process.pid}-${made++}`;
    const group = new MemoryCgroup(version, name);
    open.add(group);
    try {
      group.#makeDirectories();
      if (version === 1) group.write('memory.oom_control', '1');
      if (limit !== undefined) group.limit(limit);
      if (high !== undefined) group.write('memory.high', String(high));
      return group;
    } catch (error) {
      group.remove();
      throw error;
    }
  }

  /** Bytes, from now on. */
  limit(bytes: number): void {
    this.write(this.version === 1 ? 'memory.limit_in_bytes' : 'memory.max', String(bytes));
  }

  /** The step by which pressure enters. */
  get enter(): string {
    return `enter=${join(this.dir, 'cgroup.procs')}`;
  }

  read(file: string): string {
    return readFileSync(join(this.dir, file), 'utf8');
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.dir, file), text);
  }

  /** One figure of memory.stat; undefined where this kernel has none of that name. */
  stat(key: string): number | undefined {
    const [, value] = new RegExp(`^${key} (\\d+)$`, 'm').exec(this.read('memory.stat')) ?? [];
    return value === undefined ? undefined : Number(value);
  }

  /** Ends what is still in it, and removes it. */
  remove(): void {
    open.delete(this);
    if (existsSync(this.dir)) this.#killMembers();
    for (const dir of this.#made.toReversed()) removeWhenEmpty(dir);
  }

  #makeDirectories(): void {
    const root = this.version === 1 ? V1 : V2;
    const path: string[] = [];
    for (let dir = this.dir; dir !== root; dir = dirname(dir)) path.unshift(dir);
    for (const dir of path) {
      if (!existsSync(dir)) {
        mkdirSync(dir);
        this.#made.push(dir);
      }
      // A group hands the controller down before its children have it.
      if (this.version === 2 && dir !== this.dir) {
        writeFileSync(join(dir, 'cgroup.subtree_control'), '+memory');
      }
    }
  }

  #killMembers(): void {
    for (const pid of this.read('cgroup.procs').split('\n').filter(Boolean)) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
  }
}

/** A group is busy until the last of its processes is wholly gone. */
function removeWhenEmpty(dir: string): void {
  const deadline = performance.now() + BUSY_MS;
  for (;;) {
    try {
      rmdirSync(dir);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      if (code !== 'EBUSY' || performance.now() > deadline) throw error;
    }
  }
}
