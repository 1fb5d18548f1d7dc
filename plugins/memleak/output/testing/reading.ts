import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import type { TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { LAUNCHER, withOurNode } from '../../../../test/launcher.js';

const EVERY_MS = 100;

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
    const child = spawn(command, args, { stdio: 'pipe', env: withOurNode(process.env) });
    context.after(() => {
      child.kill('SIGKILL');
    });
    return new Reading(child);
  }

  /** The built program, by its launcher. */
  static cli(context: Pick<TestContext, 'after'>, ...args: readonly string[]) {
    return Reading.of(context, LAUNCHER, args);
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

  /** Waits until it has written `pattern` to either stream. */
  until(pattern: RegExp): Promise<void> {
    const isWritten = () => pattern.test(this.text) || pattern.test(this.errors);
    const more = () =>
      new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.reaches(`${pattern}`, isWritten, more);
  }

  /** Repeats `step` until `isSo`; fails with its own words once the process has ended. */
  async reaches(
    what: string,
    isSo: () => boolean,
    step: () => Promise<unknown> = () => setTimeout(EVERY_MS),
  ): Promise<void> {
    while (!isSo()) {
      assert.ok(!this.#isClosed, `the process ended before ${what}:\n${this.errors}`);
      await step();
    }
  }
}
