/**
 * What a guest boots from: a base (busybox, Node, libraries, dependencies) that is kept in the
 * cache, and an overlay (the built agent, kernel modules, the plan) that is made for each boot.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cached, cachePath } from '../cache.js';
import { command } from '../command.js';
import { CpioArchive } from './cpio.js';

export const ROOT = realpathSync(join(import.meta.dirname, '../../..'));
export const APP = 'app';
const BUSYBOX = '/bin/busybox';
const BASE_FORMAT = 2;

/** Libraries that are opened by name at run time; those that they need follow. */
const LIBRARIES = ['libbpf.so.1', 'libdw.so.1'];

export function nodeBinary(): string {
  const path = join(ROOT, 'node_modules/node/bin/node');
  if (!existsSync(path)) throw new Error(`${path} is missing: run npm run setup`);
  return path;
}

/** The cached base archive; made anew when the lockfile, Node or a library has changed. */
export function baseArchive(): Promise<string> {
  const libraries = libraryFiles([nodeBinary(), ...LIBRARIES.map(findLibrary)]);
  const key = createHash('sha256').update(String(BASE_FORMAT));
  key.update(readFileSync(join(ROOT, 'package-lock.json')));
  for (const file of [nodeBinary(), BUSYBOX, ...libraries]) {
    key.update(`${file} ${statSync(file).size} ${statSync(file).mtimeMs}\n`);
  }
  return cached(cachePath('vm', `base-${key.digest('hex').slice(0, 16)}.cpio`), (partial) => {
    const archive = new CpioArchive();
    archive.file('bin/busybox', readFileSync(BUSYBOX), 0o755);
    archive.link('bin/sh', 'busybox');
    for (const file of libraries) archive.file(file, readFileSync(file), 0o755);
    archive.file(join(APP, 'node_modules/.bin/node'), readFileSync(nodeBinary()), 0o755);
    for (const path of runtimePackages()) {
      archive.copy(join(ROOT, path), join(APP, path), isNeededAtRunTime);
    }
    writeFileSync(partial, archive.build());
  });
}

/** The repository as it is now. Directories that do not exist yet are left out. */
export function overlay(extra: (archive: CpioArchive) => void): Buffer {
  const archive = new CpioArchive();
  // What is put in first stays: an archive takes each path once.
  extra(archive);
  archive.file('init', readFileSync(join(ROOT, 'test/vm/guest/init.sh')), 0o755);
  for (const path of ['package.json', 'dist', 'config', 'plugins', 'core', 'test']) {
    if (existsSync(join(ROOT, path))) archive.copy(join(ROOT, path), join(APP, path), isNotSource);
  }
  return archive.build();
}

/** Kernel modules, decompressed, with the order in which they must be loaded. */
export function addModules(archive: CpioArchive, files: readonly string[]): void {
  const names = files.map((file) => {
    const name = basename(file).replace(/\.ko\..*$/, '.ko');
    const content = file.endsWith('.xz')
      ? Buffer.from(command('sh', ['-c', 'xz -dc "$1" | base64', 'sh', file]), 'base64')
      : readFileSync(file);
    archive.file(`modules/${name}`, content);
    return name;
  });
  archive.file('modules/order', names.map((name) => `${name}\n`).join(''));
}

/** The folders of node_modules that the lockfile does not mark as for development. */
function runtimePackages(): string[] {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .map(([path]) => path)
    .filter((path) => !/^node_modules\/node(-bin-setup)?$/.test(path))
    .filter((path) => existsSync(join(ROOT, path)));
}

const isNeededAtRunTime = (path: string): boolean =>
  !/\.(map|md|d\.[cm]?ts)$|\/(vendor|esm|esnext|test|tests|\.github)$/.test(path) ||
  /\/zod\/.*\.d\.ts$/.test(path);

/** Nor the programs of the corpus, which are many, and watched on this machine alone. */
const isNotSource = (path: string): boolean =>
  !/\.(ts|map|c|cpp|h|rs|md|log)$|\/dist\/test\/corpus\/bin$/.test(path);

function findLibrary(name: string): string {
  const line = command('/sbin/ldconfig', ['-p'])
    .split('\n')
    .find((entry) => entry.trim().startsWith(`${name} `));
  const path = line?.split('=>')[1]?.trim();
  if (path === undefined) throw new Error(`${name} is not installed: run npm run setup`);
  return path;
}

/** The files, when they are libraries, and every library that they need. */
function libraryFiles(roots: readonly string[]): string[] {
  const found = new Set(roots.filter((root) => root.includes('.so')));
  for (const root of roots) {
    for (const [, path] of command('ldd', [root]).matchAll(/(\/\S+) \(0x/g)) {
      if (path !== undefined) found.add(path);
    }
  }
  return [...found].sort();
}
