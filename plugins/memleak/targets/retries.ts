import type { Followed } from './followed.js';

/** Seconds from a refusal to the next attempt: twice as long after each. */
const FIRST = 5;
const LAST = 320;

interface Waiting {
  readonly seconds: number;
  readonly until: number;
}

/** When who was refused for a passing cause is attached again. */
export class Retries {
  /** By key of the target. */
  readonly #waiting = new Map<string, Waiting>();

  /** True once a wait; asked for about once a second. */
  isDue({ key, state, isPassing }: Pick<Followed, 'key' | 'state' | 'isPassing'>, now: number) {
    if (state !== 'refused' || !isPassing) {
      this.#waiting.delete(key);
      return false;
    }
    const waiting = this.#waiting.get(key) ?? { seconds: FIRST, until: now + FIRST };
    const isDue = now >= waiting.until;
    const seconds = isDue ? Math.min(LAST, 2 * waiting.seconds) : waiting.seconds;
    this.#waiting.set(key, { seconds, until: isDue ? now + seconds : waiting.until });
    return isDue;
  }

  forget(key: string): void {
    this.#waiting.delete(key);
  }
}
