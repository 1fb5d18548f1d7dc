/** Those who watch a process' allocations: two empty probes, the plugin, and memleak of libbpf-tools. */
import 'reflect-metadata';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BpfObject } from '../core/bpf/host.js';
import { createBpfHost } from '../core/bpf/libbpf.js';
import { ElfFile } from '../core/elf/elf-file.js';
import { probeSite } from '../core/elf/probe-site.js';
import { findInstallation } from '../core/install.js';
import { memleak } from '../plugins/memleak/index.js';
import type { LeakSnapshot } from '../plugins/memleak/model.js';
import { cached, cachePath } from '../test/cache.js';
import { LivePlugin } from '../test/fakes/live-plugin.js';
import { Archive } from '../test/vm/archive.js';
import { KERNELS } from '../test/vm/kernels.js';
import { atExit } from './at-exit.js';

/** Attaches to a process; gives what detaches. */
export type Watcher = (pid: number) => Promise<() => Promise<void>>;

/** Nothing but the probes, of the quickest kind, where they cost least. */
export class EmptyProbes {
  readonly #object: BpfObject;
  readonly #kind: 'multi' | 'perf';

  constructor() {
    const file = findInstallation(import.meta.url).bpfObject('bench-uprobe');
    const open = (kind: 'multi' | 'perf') => {
      const object = createBpfHost().open(file);
      for (const program of ['entered', 'returned']) object.setUprobeKind(program, kind);
      object.load();
      return object;
    };
    try {
      this.#object = open('multi');
      this.#kind = 'multi';
    } catch {
      this.#object = open('perf');
      this.#kind = 'perf';
    }
  }

  get kind(): string {
    return this.#kind;
  }

  /** On malloc and on free: the least that whoever follows both must pay. */
  readonly watch: Watcher = (pid) => this.#attach(pid, { entered: ['malloc', 'free'] });
  /** With malloc's return, from which its address comes. */
  readonly watchReturn: Watcher = (pid) =>
    this.#attach(pid, { entered: ['malloc', 'free'], returned: ['malloc'] });

  /** On each that memory is had by as well: what a program that calls them all must pay. */
  readonly watchAll: Watcher = (pid) =>
    this.#attach(pid, { entered: ['malloc', 'calloc', 'realloc', 'free'] });

  async #attach(pid: number, programs: Readonly<Record<string, readonly string[]>>) {
    const path = libcOf(pid);
    const elf = ElfFile.open(path);
    try {
      const links = Object.entries(programs).flatMap(([program, names]) =>
        names.map((name) => {
          const fn = elf.functions([name]).find(({ isLocal }) => !isLocal);
          if (fn === undefined) throw new Error(`${path} has no ${name}`);
          const isFree = name === 'free';
          const place = probeSite(elf, fn, { arguments: argumentsOf(name), skipNull: isFree });
          const offset = program === 'returned' ? place.entry : place.offset;
          return this.#object.attachUprobes(program, { path, pid, offsets: [offset] });
        }),
      );
      return async () => {
        for (const link of links) await (link.closeSoon?.() ?? link.close());
      };
    } finally {
      elf.close();
    }
  }

  close(): void {
    this.#object.close();
  }
}

const argumentsOf = (name: string): number => (name === 'calloc' || name === 'realloc' ? 2 : 1);

const libcOf = (pid: number): string => {
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8');
  const path = /\S+\/libc[.-][^/\n]*$/m.exec(maps)?.[0];
  if (path === undefined) throw new Error(`${pid} has no C library`);
  return path;
};

export type LiveMemleak = LivePlugin<LeakSnapshot>;

/** The plugin as it is configured, without the budget that would end the measurement. */
export async function plugin(
  pid: number,
  config: Readonly<Record<string, unknown>> = {},
): Promise<LiveMemleak> {
  const options = { config: { targets: [{ pid }], budget: 0, limit: 0, ...config } };
  const live = await LivePlugin.start<LeakSnapshot>(memleak, options);
  try {
    await live.until(({ targets }) => targets.some(({ allocators }) => allocators.length > 0));
    return live;
  } catch (error) {
    await live.close();
    throw error;
  }
}

export const pluginWatcher =
  (config: Readonly<Record<string, unknown>>): Watcher =>
  async (pid) => {
    const live = await plugin(pid, config);
    return () => live.close();
  };

/** With the libraries that it needs: those of the machine may be older. */
const PEER_PACKAGES = ['libbpf-tools', 'libc6', 'libelf1t64', 'zlib1g', 'libzstd1'];

/** memleak of libbpf-tools, from Debian's newest suite. Throws where there is no archive. */
export async function peerProgram(): Promise<string> {
  const dir = await cached(cachePath('libbpf-tools'), (partial) => {
    const archive = new Archive();
    archive.refresh(KERNELS.map(({ suite }) => suite));
    archive.unpack(
      PEER_PACKAGES.map((name) => `${name}/sid`),
      partial,
    );
  });
  const bin = ['usr/sbin', 'usr/bin', 'sbin'].map((path) => join(dir, path));
  for (const path of bin) {
    const name = entries(path).find((entry) => /^memleak(-libbpf)?$/.test(entry));
    if (name !== undefined) return join(path, name);
  }
  throw new Error('libbpf-tools has no memleak');
}

export const peerWatcher =
  (program: string, args: readonly string[] = []): Watcher =>
  async (pid) => {
    const lib = join(program, '../../lib/x86_64-linux-gnu');
    const call = ['--library-path', lib, program, '-p', `${pid}`, ...args];
    const loader = join(lib, 'ld-linux-x86-64.so.2');
    const child = spawn(loader, [...call, '3600'], { stdio: 'ignore' });
    const kill = atExit(() => child.kill('SIGKILL'));
    const closed = once(child, 'close');
    const off = async () => {
      kill();
      await closed;
    };
    try {
      await attachedProbes(child);
    } catch (error) {
      await off();
      throw error;
    }
    return off;
  };

/** It does not say when it has attached: its descriptors do, once they no longer become more. */
async function attachedProbes(child: ChildProcess): Promise<void> {
  let before = 0;
  for (;;) {
    await sleep(300);
    if (child.exitCode !== null) throw new Error(`memleak ended with ${child.exitCode}`);
    const now = links(child.pid ?? 0);
    if (now > 0 && now === before) return;
    before = now;
  }
}

const links = (pid: number): number =>
  entries(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return /perf_event|bpf.link/.test(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;

function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
