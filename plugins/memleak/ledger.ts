import type { Change, Judge, Surroundings } from './judge/judge.js';
import type { Ages, Coverage, Judgement, Reading } from './model.js';

/** What one round knows of one allocator: a process, or the kernel. */
export interface Account {
  /** The same in every round. */
  readonly id: string;
  readonly readings: readonly Reading[];
  readonly surroundings: Surroundings;
  /** It is not watched for a while: its stacks come again, and go on then. */
  readonly isPaused?: boolean;
  /** By key, of stacks that are seen worse than the rest. */
  readonly coverageByStack?: ReadonlyMap<string, Coverage>;
}

export interface Judged {
  /** Of the account `account`. */
  readonly account: string;
  readonly reading: Reading;
  readonly judgement: Judgement;
  /** As they were when somebody looked last. */
  readonly ages: Ages | undefined;
}

/** A stack's change of state, with what is known of it. */
export interface JudgedChange extends Judged {
  readonly before: Judgement;
}

interface Entry {
  reading: Reading;
  account: string;
  ages: Ages | undefined;
  surroundings: Surroundings;
  round: number;
  /** Since when it holds nothing, seconds. */
  emptySince: number | undefined;
}

/** Every stack that was seen, with its last reading and what the judge holds of it. */
export class Ledger {
  readonly #judge: Judge;
  readonly #entries = new Map<string, Entry>();
  readonly #keepEmpty: number;
  #round = 0;

  /**
   * `keepEmpty`: seconds after which a stack that holds nothing is forgotten, if nothing is held
   * against it. Work that comes again later than that is judged anew.
   */
  constructor(judge: Judge, keepEmpty: number) {
    this.#judge = judge;
    this.#keepEmpty = keepEmpty;
  }

  /**
   * One round. `time`: monotonic, seconds; `now`: Unix ms. What changed comes back. An account that
   * is not among them keeps what it had: `close` ends it.
   *
   * Who watches says of a stack once that it holds nothing any more, and then is silent: it stays
   * empty, and a floor of 0 is evidence. A stack that is left out while it holds something was not
   * freed: it is not watched any more, and is forgotten without a verdict, if another program is
   * executed, or put by, if its account is paused.
   */
  take(accounts: readonly Account[], time: number, now: number): JudgedChange[] {
    this.#round++;
    const present = new Map<string, Account>();
    for (const account of accounts) {
      const { id, readings, surroundings, coverageByStack } = account;
      present.set(id, account);
      for (const reading of readings) {
        const coverage = coverageByStack?.get(reading.key);
        this.#put(reading, id, coverage ? { ...surroundings, coverage } : surroundings);
      }
    }
    for (const [key, entry] of this.#entries) {
      const account = present.get(entry.account);
      if (!account) continue;
      if (entry.round !== this.#round && holds(entry.reading)) {
        this.#leave(key, account);
        continue;
      }
      if (!holds(entry.reading)) entry.emptySince ??= time;
      this.#judge.observe(entry.reading, time, entry.surroundings);
      if (this.#isSpent(key, entry, time)) this.#forget(key);
    }
    const changes = this.#judge.conclude(time, now);
    return changes.flatMap((change) => this.#joined(change));
  }

  /** The account has ended: what it held last comes back, and is forgotten here. */
  close(account: string): Judged[] {
    const last = this.heldBy(account);
    for (const [key, entry] of this.#entries) {
      if (entry.account === account) this.#forget(key);
    }
    return last;
  }

  /** What an account holds, the largest first. */
  heldBy(account: string): Judged[] {
    return this.#held((entry) => entry.account === account);
  }

  /** All that hold something, the largest first. */
  get outstanding(): Judged[] {
    return this.#held(() => true);
  }

  #held(wanted: (entry: Entry) => boolean): Judged[] {
    const judged: Judged[] = [];
    for (const [key, entry] of this.#entries) {
      const judgement = this.#judge.judgement(key);
      if (judgement && holds(entry.reading) && wanted(entry)) {
        judged.push({ ...partOf(entry), judgement });
      }
    }
    return judged.sort(larger);
  }

  #put(reading: Reading, account: string, surroundings: Surroundings): void {
    const known = this.#entries.get(reading.key);
    const ages = holds(reading) ? (reading.ages ?? known?.ages) : undefined;
    const emptySince = holds(reading) ? undefined : known?.emptySince;
    const of = { reading, account, ages, surroundings, round: this.#round, emptySince };
    if (known) Object.assign(known, of);
    else this.#entries.set(reading.key, of);
  }

  #isSpent(key: string, { emptySince }: Entry, time: number): boolean {
    if (emptySince === undefined || time - emptySince < this.#keepEmpty) return false;
    const state = this.#judge.judgement(key)?.state;
    return state === undefined || state === 'watching' || state === 'resolved';
  }

  #leave(key: string, { isPaused = false }: Account): void {
    if (isPaused) this.#judge.pause(key);
    else this.#judge.forget(key);
    this.#entries.delete(key);
  }

  #forget(key: string): void {
    this.#judge.forget(key);
    this.#entries.delete(key);
  }

  #joined({ key, before, after }: Change): JudgedChange[] {
    const entry = this.#entries.get(key);
    return entry ? [{ ...partOf(entry), judgement: after, before }] : [];
  }
}

/** Largest first. */
export const larger = (a: Judged, b: Judged): number => b.reading.bytes - a.reading.bytes;

const partOf = ({ account, reading, ages }: Entry) => ({ account, reading, ages });

const holds = ({ bytes, allocations }: Reading): boolean => bytes > 0 || allocations > 0;
