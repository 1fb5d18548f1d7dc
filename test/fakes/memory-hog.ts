/** Starts memory-hog: a process whose memory is known to the page (memory-hog.c says what it can). */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { LineProgram } from './line-program.js';
import { programMissing, programOf } from './programs.js';

/** In place of the letter of a state. */
const NONE = 'gone';

export type HogOptions = Readonly<Record<string, number | string>>;

export class MemoryHog extends LineProgram {
  /** Why there is none here; undefined if it is built, or just was. */
  static missing = (): string | undefined => programMissing('memory-hog');

  /** Resolves once its memory is as asked for and it stands still. */
  static async start(options: HogOptions): Promise<MemoryHog> {
    const steps = Object.entries(options).map(([key, value]) => `${key}=${value}`);
    const hog = new MemoryHog(programOf('memory-hog'), steps);
    return MemoryHog.begun(hog, () => hog.#standsStill('ready'));
  }

  /** Touches the pages of `grow`, then stands still again. */
  async grow(): Promise<void> {
    this.tell('g', { raw: true });
    await this.#standsStill('grown');
  }

  async #standsStill(word: string): Promise<void> {
    await this.expect(word);
    while (!this.#sleeps()) await sleep(5);
  }

  #sleeps(): boolean {
    return readdirSync(`/proc/${this.pid}/task`).every((task) => 'SZ'.includes(this.#state(task)));
  }

  /** A thread that has ended since it was listed is in none. */
  #state(task: string): string {
    try {
      const stat = readFileSync(`/proc/${this.pid}/task/${task}/stat`, 'utf8');
      return stat[stat.lastIndexOf(')') + 2] ?? NONE;
    } catch {
      return NONE;
    }
  }
}
