/** Programs to be followed, compiled here, told what to do over their standard input. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { LineProgram } from '../../../../test/fakes/line-program.js';

const SOURCES = join(import.meta.dirname, '../../../../../plugins/memleak/targets/testing');

/** A folder that is gone when the file's tests are. */
export function workshop(): string {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-targets-'));
  after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** The program made of one of the sources; why there is none if it cannot be made here. */
export function compile(
  dir: string,
  name: string,
  source: string,
  { compiler = 'gcc', flags = [] }: { compiler?: string; flags?: readonly string[] } = {},
): { readonly path: string; readonly missing: string | undefined } {
  const path = join(dir, name);
  const made = spawnSync(compiler, ['-O1', '-o', path, join(SOURCES, source), ...flags], {
    encoding: 'utf8',
  });
  const missing = existsSync(path)
    ? undefined
    : `${compiler} cannot make ${name} here: ${made.error?.message ?? made.stderr.trim()}`;
  return { path, missing };
}

export function compileGo(dir: string, name: string, source: string): ReturnType<typeof compile> {
  const path = join(dir, name);
  const made = spawnSync('go', ['build', '-o', path, join(SOURCES, source)], {
    encoding: 'utf8',
    env: { ...process.env, GOFLAGS: '-mod=mod', GO111MODULE: 'off' },
  });
  const missing = existsSync(path)
    ? undefined
    : `no Go program can be made here: ${made.error?.message ?? made.stderr.trim()}`;
  return { path, missing };
}

const LIBRARIES = '/usr/lib/x86_64-linux-gnu';

/** What has a program use this allocator; why it cannot. */
export function preloaded(name: string) {
  const library = join(LIBRARIES, name);
  const missing = existsSync(library) ? undefined : `${name} is not installed`;
  return { env: { LD_PRELOAD: library }, missing };
}

export interface StartOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export class Program extends LineProgram {
  /** Once it has said that it is ready. */
  static async start(file: string, { args, env }: StartOptions = {}): Promise<Program> {
    const program = new Program(file, args, env);
    return Program.begun(program, () => program.expect('ready'));
  }
}
