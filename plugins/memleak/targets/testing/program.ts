/** Programs to be followed, compiled here, told what to do over their standard input. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';

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

export interface StartOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export class Program {
  readonly pid: number;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #gone: Promise<void>;

  private constructor(file: string, { args = [], env = {} }: StartOptions) {
    const child = spawn(file, args, { env: { ...process.env, ...env } });
    child.stdin.on('error', () => undefined); // it may have been killed
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#gone = new Promise((resolve) => child.once('exit', () => resolve()));
    this.pid = child.pid ?? 0;
  }

  /** Once it has said that it is ready. */
  static async start(file: string, options: StartOptions = {}): Promise<Program> {
    const program = new Program(file, options);
    await program.expect('ready');
    return program;
  }

  async ask(command: string): Promise<string> {
    this.#child.stdin.write(`${command}\n`);
    return this.#line();
  }

  async expect(words: string): Promise<void> {
    const line = await this.#line();
    if (line !== words) throw new Error(`the program said ${line}, not ${words}`);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL');
    }
    await this.#gone;
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the program has ended');
    return value;
  }
}
