/** Processes that only want the CPU, so that whoever else runs is interrupted now and then. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

export class Spinners {
  readonly #children: readonly ChildProcess[];

  /** `perCpu` of them for each CPU. */
  constructor(perCpu = 2) {
    this.#children = Array.from({ length: availableParallelism() * perCpu }, () =>
      spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#children.map((child) => {
        const closed = once(child, 'close');
        child.kill('SIGKILL');
        return closed;
      }),
    );
  }
}
