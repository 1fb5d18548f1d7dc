import { MemWatcherError } from './errors.js';

/** Something that holds a kernel or system resource until it is closed. Closing twice is harmless. */
export interface Closable {
  close(): void | Promise<void>;
}

/**
 * Owns what a plugin, or the agent, acquires.
 *
 * Acquire and hand over on the same line: `const link = scope.use(object.attach('on_switch'))`.
 * `close` releases in reverse order, runs every release even when one throws, and may be called
 * any number of times. A scope that is closed while something is still being acquired releases
 * that thing at once: nothing outlives the scope.
 */
export class Scope implements Closable {
  readonly #releases: (() => void | Promise<void>)[] = [];
  #closing: Promise<void> | undefined;

  /** Whether `close` has been called. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Hands `resource` over and gives it back. */
  use<T extends Closable>(resource: T): T {
    this.defer(() => resource.close());
    return resource;
  }

  /** Runs `release` when the scope closes. */
  defer(release: () => void | Promise<void>): void {
    if (this.closed) {
      void (async () => release())().catch(() => undefined);
      throw new MemWatcherError(
        'SCOPE_CLOSED',
        'the scope is closed: nothing more can be acquired',
      );
    }
    this.#releases.push(release);
  }

  /** A scope that closes with this one, or before it. */
  child(): Scope {
    return this.use(new Scope());
  }

  /** Releases everything, newest first. Rejects with an AggregateError if any release failed. */
  close(): Promise<void> {
    this.#closing ??= this.#releaseAll();
    return this.#closing;
  }

  async #releaseAll(): Promise<void> {
    const errors: unknown[] = [];
    for (let release = this.#releases.pop(); release; release = this.#releases.pop()) {
      try {
        await release();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, 'closing a scope failed');
  }
}
