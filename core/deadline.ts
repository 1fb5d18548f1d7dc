import { MemWatcherError } from './errors.js';

/**
 * Waits for `work` at most `milliseconds`, then throws DEADLINE_EXCEEDED saying `what` took too
 * long; it throws at once when `signal` aborts. The work itself is not cancelled; what it acquires
 * later meets a closed scope.
 */
export async function withDeadline<T>(
  work: () => T | Promise<T>,
  milliseconds: number,
  what: string,
  signal?: AbortSignal,
): Promise<T> {
  let stopWaiting = () => {};
  const expired = new Promise<never>((_, reject) => {
    const fail = (message: string) => reject(new MemWatcherError('DEADLINE_EXCEEDED', message));
    const timer = setTimeout(
      () => fail(`${what} took longer than ${Math.round(milliseconds) / 1000} s`),
      milliseconds,
    );
    const onAbort = () => fail(`${what} was interrupted`);
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted) onAbort();
    stopWaiting = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
  });
  try {
    return await Promise.race([(async () => work())(), expired]);
  } finally {
    stopWaiting();
  }
}

/**
 * One deadline for several steps one after the other. A step that hangs uses up what is left to it,
 * and `until` keeps a part back for those that follow.
 */
export class Deadline {
  readonly #began: number;

  constructor(
    readonly milliseconds: number,
    private readonly clock: () => number = () => performance.now(),
  ) {
    this.#began = clock();
  }

  /** Milliseconds that remain until this share of the whole is used up; never below 0. */
  until(share = 1): number {
    return Math.max(0, this.#began + share * this.milliseconds - this.clock());
  }
}
