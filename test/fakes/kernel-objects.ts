/** Starts kernel-objects: a process for which the kernel allocates so many objects of a kind. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { programMissing, programOf } from './programs.js';

export type ObjectKind = 'signalfd' | 'timerfd' | 'pipe' | 'fill' | 'epoll';

export class KernelObjects {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  #complaint = '';

  private constructor() {
    this.#child = spawn(programOf('kernel-objects'));
    this.#child.stderr.on('data', (data) => {
      this.#complaint += data;
    });
    this.#child.stdin.on('error', () => undefined); // it may have been killed
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Why there is none here; undefined if it is built, or just was. */
  static missing = (): string | undefined => programMissing('kernel-objects');

  static async start(): Promise<KernelObjects> {
    const objects = new KernelObjects();
    await objects.#done();
    return objects;
  }

  /** Resolves once the kernel has made them. */
  async make(kind: ObjectKind, count: number): Promise<void> {
    this.#child.stdin.write(`${kind} ${count}\n`);
    await this.#done();
  }

  async drop(): Promise<void> {
    this.#child.stdin.write('drop\n');
    await this.#done();
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }

  async #done(): Promise<void> {
    const { value } = await this.#lines.next();
    if (value !== 'done') throw new Error(`kernel-objects said ${value}: ${this.#complaint}`);
  }
}
