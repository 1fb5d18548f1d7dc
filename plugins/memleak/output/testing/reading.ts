import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import type { TestContext } from 'node:test';

const MAIN = resolve(import.meta.dirname, '../../../../core/main.js');

/** A process and what it writes, waited for. */
export class Reading {
  text = '';
  errors = '';
  /** Its exit code; null if a signal ended it. */
  readonly closed: Promise<number | null>;
  #wake: () => void = () => undefined;
  #isClosed = false;

  private constructor(readonly child: ChildProcess) {
    child.stdin?.on('error', () => undefined); // it may have been killed
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.text += text;
      this.#wake();
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      child.once('close', (code) => {
        this.#isClosed = true;
        resolve(code);
        this.#wake();
      });
    });
  }

  /** It is killed with the test that it is of. */
  static of(context: Pick<TestContext, 'after'>, command: string, args: readonly string[]) {
    const child = spawn(command, args, { stdio: 'pipe' });
    context.after(() => {
      child.kill('SIGKILL');
    });
    return new Reading(child);
  }

  /** The built program. */
  static cli(context: Pick<TestContext, 'after'>, ...args: readonly string[]) {
    return Reading.of(context, process.execPath, [MAIN, ...args]);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  say(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  /** Until it has written it, to either stream. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text) && !pattern.test(this.errors)) {
      if (this.#isClosed) assert.match(this.text, pattern, this.errors);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
