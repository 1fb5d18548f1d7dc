/** A program that is told what to do by its standard input, and answers by lines. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export class LineProgram {
  readonly pid: number;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #gone: Promise<void>;
  #complaint = '';

  protected constructor(
    private readonly file: string,
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ) {
    const child = spawn(file, args, { env: { ...process.env, ...env } });
    child.stdin.on('error', () => undefined); // it may have been killed
    child.stderr.on('data', (data) => {
      this.#complaint += data;
    });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    // Not until its pipes are closed: its children may hold them. A file that cannot be started has no exit.
    this.#gone = new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', (error) => {
        this.#complaint += error.message;
        resolve();
      });
    });
    this.pid = child.pid ?? 0;
  }

  /** Gives the program when `ready` has resolved. One that is not to be had is stopped: nobody else can. */
  protected static async begun<P extends LineProgram>(
    program: P,
    ready: () => Promise<unknown>,
  ): Promise<P> {
    try {
      await ready();
      return program;
    } catch (error) {
      await program.stop();
      throw error;
    }
  }

  /** What it is told is one line, or `raw` text. */
  tell(line: string, { raw = false } = {}): void {
    this.#child.stdin.write(raw ? line : `${line}\n`);
  }

  /** The program's answer. */
  async ask(line: string): Promise<string> {
    this.tell(line);
    return this.line();
  }

  /** The next line that it says. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (!done) return value;
    await this.#gone;
    const how = this.#child.exitCode ?? this.#child.signalCode ?? 'never began';
    throw new Error(`${this.file} ended (${how}): ${this.#complaint.trim()}`);
  }

  async expect(words: string): Promise<void> {
    const line = await this.line();
    if (line !== words) throw new Error(`${this.file} said ${line}, not ${words}`);
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#child.kill(signal);
    await this.#gone;
  }

  /** Nothing more is said to it: it exits by itself. */
  async end(): Promise<void> {
    this.#child.stdin.end();
    await this.#gone;
  }
}
