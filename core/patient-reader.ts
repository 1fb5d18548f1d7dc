type Ended<T> =
  | { readonly kind: 'read'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: unknown };

/** `previous`: the reading before ended too late for whoever asked; the one asked for is late too. */
export type Taken<T> = (Ended<T> & { readonly previous: boolean }) | { readonly kind: 'late' };

/**
 * Reads one at a time, and no caller waits longer than its deadline. A late reading is not lost: the
 * next caller waits for it; or takes it, if it has ended by then and the next reading is late as well.
 * So what is taken never goes back in time.
 */
export class PatientReader<T> {
  readonly #read: () => T | Promise<T>;
  #isReading = false;
  /** The newest that was not taken. */
  #ended: Ended<T> | undefined;
  #wake: () => void = () => undefined;

  constructor(read: () => T | Promise<T>) {
    this.#read = read;
  }

  /** Within `milliseconds`, or when `hurry` aborts. Never rejects. */
  async take(milliseconds: number, hurry?: AbortSignal): Promise<Taken<T>> {
    if (!this.#isReading) void this.#readOne();
    if (this.#isReading) await this.#wait(milliseconds, hurry);
    const ended = this.#ended;
    this.#ended = undefined;
    return ended ? { ...ended, previous: this.#isReading } : { kind: 'late' };
  }

  async #readOne(): Promise<void> {
    this.#isReading = true;
    try {
      this.#ended = { kind: 'read', value: await this.#read() };
    } catch (error) {
      this.#ended = { kind: 'failed', error };
    }
    this.#isReading = false;
    this.#wake();
  }

  /** By a callback: a promise that hangs would keep one reaction for every caller. */
  async #wait(milliseconds: number, hurry: AbortSignal | undefined): Promise<void> {
    if (hurry?.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, milliseconds);
    const onAbort = () => resolve();
    hurry?.addEventListener('abort', onAbort);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
    hurry?.removeEventListener('abort', onAbort);
  }
}
