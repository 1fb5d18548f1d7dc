/**
 * Work that is done in pieces, so that nothing else waits for long: attaching to many processes at
 * once takes seconds. A job yields where it can be interrupted; it may be called off.
 */
export type Job = Generator<Step, void>;

/** `wait`: there is nothing to do for it before something else has happened. */
export type Step = 'wait' | undefined;

export class Jobs {
  readonly #jobs = new Map<string, Job>();

  /** Adds a job, in place of one of the same key. */
  add(key: string, job: Job): void {
    this.cancel(key);
    this.#jobs.set(key, job);
  }

  has(key: string): boolean {
    return this.#jobs.has(key);
  }

  /** What the job has begun it gives up: its `finally` runs. */
  cancel(key: string): void {
    const job = this.#jobs.get(key);
    this.#jobs.delete(key);
    job?.return();
  }

  get size(): number {
    return this.#jobs.size;
  }

  /** Oldest first, until all are done or the time is over: milliseconds. */
  run(milliseconds: number, clock: () => number = () => performance.now()): void {
    const end = clock() + milliseconds;
    for (const [key, job] of this.#jobs) {
      for (;;) {
        if (this.#jobs.get(key) !== job) break;
        const { done, value } = job.next();
        if (done) this.#jobs.delete(key);
        if (done || value === 'wait') break;
        if (clock() >= end) return;
      }
      if (clock() >= end) return;
    }
  }
}
