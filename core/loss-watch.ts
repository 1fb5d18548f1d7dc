import type { Health } from './plugin.js';

/** By the name of the condition: what is said of so many, in a sentence. */
export type LossSentences<Name extends string> = Readonly<Record<Name, (count: number) => string>>;

/**
 * Counts of what a plugin lost, as conditions of its health: one that has grown since the last look
 * is said, one that stands still is not said any more.
 */
export class LossWatch<Name extends string> {
  readonly #last = new Map<Name, number>();

  constructor(
    private readonly health: Health,
    private readonly sentences: LossSentences<Name>,
  ) {}

  /** Once a collection, with all that was lost since the beginning. */
  check(lost: Readonly<Record<Name, number>>): void {
    for (const name of Object.keys(this.sentences) as Name[]) {
      const count = lost[name] - (this.#last.get(name) ?? 0);
      this.#last.set(name, lost[name]);
      if (count > 0) this.health.degraded(name, this.sentences[name](count));
      else this.health.clear(name);
    }
  }
}
