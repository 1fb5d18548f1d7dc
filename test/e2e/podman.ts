/** Containers of podman, each of one static program, so that no image has to come from anywhere. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const LIMITS = ['--ulimit', 'nofile=20000:20000', '--ulimit', 'nproc=1000:1000'];

export interface ContainerOptions {
  /** A static program of this machine; it lies in the container's root. */
  readonly program: string;
  readonly args: readonly string[];
  /** Further options of `podman run`. */
  readonly options?: readonly string[];
  /** Puts more into the folder that becomes its root. */
  readonly prepare?: (root: string) => void;
}

/** A store of its own, so that nothing of the machine's is touched. */
export class Podman {
  readonly #dir = mkdtempSync(join(tmpdir(), 'mem-watcher-container-'));
  readonly #containers: string[] = [];

  /** Why there is none here. */
  static missing(): string | undefined {
    const packages = 'apt-get install --no-install-recommends podman runc';
    if (process.getuid?.() !== 0) return 'only root can start the container';
    try {
      execFileSync('runc', ['--version']);
      execFileSync('podman', ['--version']);
      return undefined;
    } catch {
      return `podman or runc is missing: ${packages}`;
    }
  }

  /** Starts it and gives its id of 64 hex digits. */
  run({ program, args, options = [], prepare }: ContainerOptions): string {
    const rootfs = join(this.#dir, `rootfs-${this.#containers.length}`);
    for (const name of ['proc', 'dev', 'sys', 'tmp', 'etc', 'run']) {
      mkdirSync(join(rootfs, name), { recursive: true });
    }
    const name = basename(program);
    copyFileSync(program, join(rootfs, name));
    prepare?.(rootfs);
    const container = [
      '--network=none',
      '--interactive',
      ...LIMITS,
      ...options,
      '--rootfs',
      rootfs,
    ];
    const id = this.#podman('run', '--detach', ...container, `/${name}`, ...args);
    this.#containers.push(id);
    return id;
  }

  /** Of its first process, as the host sees it. */
  pid(id: string): number {
    return Number(this.#podman('inspect', '--format', '{{.State.Pid}}', id));
  }

  isRunning(id: string): boolean {
    return this.#podman('inspect', '--format', '{{.State.Status}}', id) === 'running';
  }

  /** Ends its process; it stays known. */
  stop(id: string): void {
    this.#podman('kill', '--signal', 'KILL', id);
  }

  /** What it has printed. */
  output(id: string): string {
    return this.#podman('logs', id);
  }

  close(): void {
    for (const id of this.#containers) this.#podman('rm', '--force', '--time', '0', id);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** crun refuses hybrid cgroups, and the usual limits may be above ours. */
  #podman(...args: string[]): string {
    const store = ['--root', join(this.#dir, 'store'), '--runroot', join(this.#dir, 'run')];
    const call = ['--storage-driver=vfs', ...store, '--runtime', 'runc', ...args];
    return execFileSync('podman', call, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  }
}
