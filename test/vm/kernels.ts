/**
 * The kernels of the matrix: which, where they come from, and how each must be booted.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached, cachePath } from '../cache.js';
import { command } from '../command.js';
import { Archive } from './archive.js';

export interface KernelSpec {
  /** What a developer types, and what test names say. */
  readonly name: string;
  readonly suite: string;
  /** The packages that carry it; the newest that the suite has is taken. */
  readonly image: RegExp;
  /** The package of its modules, where they are apart. */
  readonly modules?: (image: string) => string;
  /** Guests of 6.12 die of random double faults with two CPUs under TCG, also during boot. */
  readonly cpus: number;
}

const ARCH = process.arch === 'arm64' ? 'arm64' : 'amd64';
const cloud = (version: string) => new RegExp(`^linux-image-${version}-cloud-${ARCH}$`);

/** The oldest first. */
export const KERNELS: readonly KernelSpec[] = [
  { name: '5.10', suite: 'bullseye', image: cloud('5\\.10\\.0-\\d+'), cpus: 2 },
  { name: '6.1', suite: 'bookworm', image: cloud('6\\.1\\.0-\\d+'), cpus: 2 },
  {
    name: '6.12',
    suite: 'trixie',
    image: cloud('6\\.12\\.\\d+\\+deb13[.\\d]*'),
    cpus: 1,
  },
  {
    name: 'newest',
    suite: 'sid',
    image: new RegExp(`^linux-binary-\\d+\\.\\d+\\.[^-]+-cloud-${ARCH}$`),
    modules: (image) => image.replace('linux-binary-', 'linux-modules-'),
    cpus: 2,
  },
];

export const isOldest = (spec: KernelSpec): boolean => spec === KERNELS[0];
export const isNewest = (spec: KernelSpec): boolean => spec === KERNELS.at(-1);

/** A kernel on this machine's disk. */
export interface KernelFiles {
  readonly spec: KernelSpec;
  /** uname -r. */
  readonly release: string;
  readonly image: string;
  /** The directory that holds modules.dep. */
  readonly modules: string;
}

const RESOLVED_FRESH_MS = 7 * 24 * 3600 * 1000;

interface Resolved {
  readonly time: number;
  readonly directory: string;
}

/** Fetches the newest kernel of the suite; asks the archive again after a week. */
export async function fetchKernel(
  spec: KernelSpec,
  progress: (text: string) => void,
): Promise<KernelFiles> {
  const note = cachePath('kernels', `${spec.name}.json`);
  const known = existsSync(note) ? (JSON.parse(readFileSync(note, 'utf8')) as Resolved) : undefined;
  const usable = known !== undefined && existsSync(known.directory);
  if (usable && Date.now() - known.time < RESOLVED_FRESH_MS) return files(spec, known.directory);
  try {
    const directory = await fetchNewest(spec, progress);
    writeFileSync(note, JSON.stringify({ time: Date.now(), directory } satisfies Resolved));
    return files(spec, directory);
  } catch (error) {
    if (!usable) throw error;
    progress(`the archive cannot be reached, using the ${spec.name} kernel of the cache`);
    return files(spec, known.directory);
  }
}

async function fetchNewest(spec: KernelSpec, progress: (text: string) => void): Promise<string> {
  const archive = new Archive();
  progress('reading the package lists of four Debian suites');
  archive.refresh(KERNELS.map((kernel) => kernel.suite));
  const candidates = archive.packages(spec.image);
  let last: unknown = new Error(`${spec.suite} has no package like ${spec.image.source}`);
  // The lists may name a version that the archive has just dropped.
  for (const image of candidates.slice(0, 8)) {
    try {
      return await cached(cachePath('kernels', image), (dir) => {
        progress(`fetching ${image}`);
        archive.unpack(spec.modules === undefined ? [image] : [image, spec.modules(image)], dir);
        indexModules(dir);
      });
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

const moduleRoots = ['lib/modules', 'usr/lib/modules'];

function modulesOf(dir: string): { readonly prefix: string; readonly release: string } {
  for (const root of moduleRoots) {
    const path = join(dir, root);
    const release = existsSync(path) ? readdirSync(path)[0] : undefined;
    if (release !== undefined) return { prefix: path.slice(0, -'/lib/modules'.length), release };
  }
  throw new Error(`${dir} holds no kernel modules`);
}

function indexModules(dir: string): void {
  const { prefix, release } = modulesOf(dir);
  command('/sbin/depmod', ['-b', prefix, release]);
}

function files(spec: KernelSpec, dir: string): KernelFiles {
  const { prefix, release } = modulesOf(dir);
  const modules = join(prefix, 'lib/modules', release);
  const image = [join(dir, 'boot', `vmlinuz-${release}`), join(modules, 'vmlinuz')].find(
    existsSync,
  );
  if (image === undefined) throw new Error(`${dir} holds no kernel image`);
  return { spec, release, image, modules };
}

/** Paths of a module and of all that it needs, in the order in which they must be loaded. */
export function moduleFiles(kernel: KernelFiles, names: readonly string[]): string[] {
  const needs = new Map(
    readFileSync(join(kernel.modules, 'modules.dep'), 'utf8')
      .split('\n')
      .filter((line) => line.includes(':'))
      .map((line): [string, string[]] => {
        const [path = '', rest = ''] = line.split(':');
        return [path, rest.trim().split(/\s+/).filter(Boolean)];
      }),
  );
  const byName = new Map(
    [...needs.keys()].map((path) => [
      path
        .replace(/^.*\//, '')
        .replace(/\.ko.*$/, '')
        .replaceAll('-', '_'),
      path,
    ]),
  );
  const ordered = new Set<string>();
  for (const name of names) {
    const path = byName.get(name.replaceAll('-', '_'));
    // Built into this kernel, or not a module of it: the guest says what it lacks.
    if (path === undefined) continue;
    for (const needed of (needs.get(path) ?? []).toReversed()) ordered.add(needed);
    ordered.add(path);
  }
  return [...ordered].map((path) => join(kernel.modules, path));
}
