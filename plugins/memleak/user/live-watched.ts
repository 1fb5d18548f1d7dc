/** A watcher and what it watches, for tests on the running kernel. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { createBpfHost } from '../../../core/bpf/libbpf.js';
import { ElfFile } from '../../../core/elf/elf-file.js';
import { probeSite } from '../../../core/elf/probe-site.js';
import { findInstallation } from '../../../core/install.js';
import type { KernelProfile } from '../../../core/kernel/kernel.js';
import { createBpfLoader, explain } from '../../../core/kernel/loader.js';
import { permissionShortage } from '../../../core/kernel/permission.js';
import { readProfile } from '../../../core/kernel/profile.js';
import { RunningKernel } from '../../../core/kernel/running-kernel.js';
import { silentLogger } from '../../../core/logger.js';
import { Scope } from '../../../core/scope.js';
import {
  Allocations,
  codeOf,
  type Held,
  PROGRAM,
  startTimeOf,
} from '../../../test/fakes/allocations.js';
import type { ProcessId, Reading } from '../model.js';
import { walkMissing, withWalk } from '../walk/live-only.js';
import { WALKS, type WalkName } from '../walk/walk.js';
import { WALKED_MAPS } from './passes.js';
import type { ProbedFile, ProbeSite, Shape } from './user-watch.js';
import { openUserWatch, type UserWatcher, type UserWatchOptions } from './watcher.js';

const installation = findInstallation(import.meta.url);
const kernel = new RunningKernel();
const profile = readProfile(installation.profiles, 'memleak');

export const missing: string | undefined =
  permissionShortage(kernel)?.message ??
  (kernel.btfPath ? undefined : 'the kernel has no BTF') ??
  Allocations.missing();

/** Those whose facts hold here. */
export const strategies: readonly string[] =
  missing === undefined
    ? explain(kernel, profile)
        .verdicts.filter(({ outcome }) => outcome !== 'rejected')
        .map(({ strategy }) => strategy)
    : [];

const SHAPES: Readonly<Record<string, Shape>> = {
  malloc: 'malloc',
  calloc: 'calloc',
  realloc: 'realloc',
  reallocarray: 'reallocarray',
  aligned_alloc: 'aligned_alloc',
  posix_memalign: 'posix_memalign',
  free: 'free',
  mmap: 'mmap',
  munmap: 'munmap',
  mremap: 'mremap',
};

/** The program's functions that allocate. */
export function sitesOf(path = PROGRAM): ProbedFile {
  const shapes = Object.keys(SHAPES);
  const elf = ElfFile.open(path);
  try {
    const sites = elf.functions(new RegExp(`^(${shapes.join('|')})$`)).map((fn): ProbeSite => {
      const symbol = fn.names[0] ?? '';
      const shape = SHAPES[symbol] ?? 'malloc';
      const { entry, offset } = probeSite(elf, fn, { arguments: 3, skipNull: shape === 'free' });
      return { shape, symbol, entry, offset };
    });
    assert.equal(sites.length, shapes.length);
    return { path, sites };
  } finally {
    elf.close();
  }
}

export interface Watched {
  readonly watch: UserWatcher;
  readonly program: Allocations;
  readonly process: ProcessId;
}

type WatchedOptions = Partial<UserWatchOptions> & {
  /** By this walk and no other. */
  readonly walk?: WalkName;
  /** In place of memleak's own. */
  readonly object?: string;
  /** By part the only choice that is tried. */
  readonly only?: Readonly<Record<string, string>>;
};

/** The walks, and of those that this kernel refuses why. */
export const walksHere = (): ReadonlyMap<WalkName, string | undefined> =>
  new Map(WALKS.map((walk) => [walk, missing ?? walkMissing(kernel, profile, walk, WALKED_MAPS)]));

const SMALL: UserWatchOptions = {
  maxAllocations: 131_072,
  maxStacks: 1024,
  maxDepth: 64,
  maxTargets: 8,
  maxThreads: 256,
};

/** Loads by the strategy; closed with the test. */
export function open(
  context: TestContext,
  strategy: string,
  options: WatchedOptions = {},
): UserWatcher {
  const scope = new Scope();
  context.after(() => scope.close());
  return openIn(scope, strategy, options);
}

/** The same for several tests, closed with the scope. */
export function openIn(
  scope: Scope,
  strategy: string,
  { walk, object = 'memleak', only = {}, ...options }: WatchedOptions = {},
): UserWatcher {
  const loader = createBpfLoader({
    host: createBpfHost(),
    kernel,
    profile: withOnly(withWalk(profile, walk), only),
    objectFile: installation.bpfObject(object),
    strategy,
    logger: silentLogger,
  });
  return openUserWatch(loader, scope, { ...SMALL, ...options });
}

const withOnly = (whole: KernelProfile, only: Readonly<Record<string, string>>): KernelProfile => ({
  ...whole,
  parts: (whole.parts ?? []).map((part) => ({
    ...part,
    choices: part.choices.filter(
      ({ name }) => only[part.name] === undefined || only[part.name] === name,
    ),
  })),
});

/** A program that is followed from its beginning. */
export async function watched(
  context: TestContext,
  strategy: string,
  options: WatchedOptions = {},
): Promise<Watched> {
  const watch = open(context, strategy, options);
  const program = await Allocations.start();
  context.after(() => program.stop());
  const process = { pid: program.pid, startTime: startTimeOf(program.pid) };
  watch.follow(process, codeOf(program.pid));
  watch.attach(process, sitesOf());
  return { watch, program, process };
}

/** What the watcher says that each of the program's sites holds. */
export function heldOf(
  { watch, program }: Pick<Watched, 'watch' | 'program'>,
  pid = program.pid,
): Record<string, Held> {
  const held: Record<string, Held> = {};
  for (const { frames, bytes, allocations } of readingsOf(watch, pid)) {
    const site = program.siteOf(frames[0] ?? 0n);
    if (site === undefined || allocations === 0) continue;
    const before = held[site] ?? { bytes: 0, count: 0 };
    held[site] = { bytes: before.bytes + bytes, count: before.count + allocations };
  }
  return held;
}

export function readingsOf(watch: UserWatcher, pid: number): readonly Reading[] {
  return watch
    .read({ ages: false })
    .readings.filter(({ source }) => source.kind === 'process' && source.pid === pid);
}
