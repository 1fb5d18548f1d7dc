/** Small programs that tests compile in the ways that programs are compiled, and where they stand. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { elfIdentityOf } from '../../core/symbolize/elf-identity.js';
import { openRegular } from '../../core/symbolize/module-files.js';
import type { MappedModule, ProcessMap } from '../../core/symbolize/symbolizer.js';
import { command } from '../command.js';

/** Where a map of `mapOfFile` has the file. */
export const BASE = 0x7000_0000_0000n;

export function hasProgram(name: string): boolean {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** A folder that goes when `after` says so. */
export function workshop(after: (end: () => void) => void): string {
  const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-symbolize-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Compiles `source`, whose name ends in its language, and gives the program's path. */
export function compile(
  folder: string,
  name: string,
  source: { readonly file: string; readonly text: string },
  compiler: string,
  options: readonly string[],
): string {
  writeFileSync(join(folder, source.file), source.text);
  const program = join(folder, name);
  command(compiler, [...options, source.file, '-o', program], { cwd: folder });
  return program;
}

/** As if `file` were mapped whole in a process, so that every address of it can be asked for. */
export function mapOfFile(file: string, changes: Partial<MappedModule> = {}): ProcessMap {
  const { ino, size } = statSync(file);
  const identity = identify(file);
  const module: MappedModule = {
    start: BASE,
    end: BASE + BigInt(Math.max(size, 1)),
    fileOffset: 0n,
    path: file,
    deleted: false,
    device: deviceOf(file),
    inode: ino,
    ...identity,
    ...changes,
  };
  return {
    pid: process.pid,
    modules: [module],
    cut: false,
    startTicks: 1,
    innerPid: process.pid,
    user: process.geteuid?.() ?? 0,
    find: (address) => (address >= module.start && address < module.end ? module : undefined),
  };
}

function identify(file: string) {
  const opened = openRegular(file, () => true);
  if (opened === undefined) return undefined;
  try {
    return elfIdentityOf(opened.fd);
  } finally {
    closeSync(opened.fd);
  }
}

/** As /proc/PID/maps has it. */
function deviceOf(file: string): string {
  const [major = '', minor = ''] = command('stat', ['-c', '%Hd %Ld', file]).trim().split(' ');
  const hex = (text: string) => Number(text).toString(16).padStart(2, '0');
  return `${hex(major)}:${hex(minor)}`;
}

/** Where the map of `mapOfFile` has an ELF virtual address of the file. */
export function addressIn(map: ProcessMap, fileAddress: bigint): bigint {
  const [module] = map.modules;
  const segment = module?.segments?.find(
    ({ address, size }) => fileAddress >= address && fileAddress < address + size,
  );
  assert.ok(segment, `${fileAddress.toString(16)} is in no segment`);
  return BASE + segment.fileOffset + (fileAddress - segment.address);
}
