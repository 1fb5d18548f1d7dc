import type { Who, WhoRecord } from '../../core/identity/who.js';
import type { Detail } from './decoder.js';
import type { Failure } from './failure.js';
import { Fold } from './fold.js';
import type { FoldChange, FoldKey, Folds } from './folds.js';
import type { Reason, Verdict } from './verdict/verdict.js';

/** A slot without failures for so long is another's: sooner when slots are scarce. ms. */
const IDLE = 300_000;
const IDLE_WHEN_SCARCE = 10_000;
const SCARCE = 0.75;
/** From dropping a key to giving its slot back: no program runs for so long. ms. */
const GRACE = 2000;
const REAP_EVERY = 1000;

export type Told = ReturnType<Fold['take']>;

export interface WatchOptions {
  readonly folds: Pick<Folds, 'changes' | 'drop' | 'free' | 'capacity'>;
  /** The details that the ring has. */
  readonly details: () => readonly Detail[];
  readonly judge: (failure: Failure) => Verdict;
  readonly who: (record: WhoRecord) => Who;
  /** Whether the filters let it pass; undefined: it is not known who it was. */
  readonly wanted: (record: WhoRecord | undefined) => boolean;
  /** Unix ms of CLOCK_MONOTONIC ns. */
  readonly unix: (ns: number) => number;
  /** Between two events of a fold, ms. */
  readonly window: number;
  readonly eventsPerSecond: number;
  readonly tell: (told: Told) => void;
}

/**
 * From counts that grow to events and counters. Each look takes what was added since the last,
 * counts it under the reason of its fold's last detail, and tells of it: a fold's first failures and
 * those of each window in one event, all folds together no faster than configured. What must wait
 * is told later, of more failures.
 */
export class FailureWatch {
  readonly #options: WatchOptions;
  readonly #folds = new Map<number, Fold>();
  /** Those with failures not told of, in the order in which they came. */
  readonly #pending = new Set<Fold>();
  readonly #dropped = new Map<Fold, number>();
  /** Details of slots that the counts did not show yet: they do the next time. */
  readonly #early: Detail[] = [];
  readonly #counts = new Map<
    string,
    { order: number; type: number; reason: Reason; count: number }
  >();
  #tokens: number;
  #lookedAt = 0;
  #reapAt = 0;
  folded = 0;
  postponed = 0;
  overflowed = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#tokens = options.eventsPerSecond;
  }

  get counts() {
    return [...this.#counts.values()];
  }

  /** Slots in use, without the spare ones. */
  get used(): number {
    return [...this.#folds.values()].filter(({ key }) => key.who !== undefined).length;
  }

  /** `now` is Unix ms. */
  look(now: number): void {
    const { details, folds } = this.#options;
    if (now < this.#lookedAt) this.#setBack(now);
    // A detail is written before its failure is counted, and may come while the counts are read.
    const before = details();
    const changes = folds.changes();
    const changed = changes.map((change) => this.#add(change, now));
    const early = this.#early.splice(0);
    try {
      for (const detail of early) this.#describe(detail);
      for (const detail of [...before, ...details()]) {
        if (!this.#describe(detail)) this.#early.push(detail);
      }
    } finally {
      // Whatever becomes of the details: these failures are not shown again.
      for (const [n, fold] of changed.entries()) this.#count(fold, changes[n]?.count ?? 0);
    }
    this.#refill(now);
    for (const fold of this.#pending) this.#tellOf(fold, now);
    this.#reap(now);
  }

  #add({ key, count, others, first, last }: FoldChange, now: number): Fold {
    const { unix } = this.#options;
    let fold = this.#folds.get(key.slot);
    const isNew = fold?.key !== key;
    if (!fold || isNew) {
      fold = this.#make(key);
      this.#folds.set(key.slot, fold);
    }
    // Only of a new fold is it known when it began; else these came since the last look.
    fold.add(count, others, isNew ? unix(first) : now, unix(last));
    if (fold.wanted) this.#pending.add(fold);
    return fold;
  }

  #make(key: FoldKey): Fold {
    const { who, wanted, window } = this.#options;
    const isWanted = wanted(key.who);
    return new Fold(key, isWanted && key.who ? who(key.who) : undefined, isWanted, window);
  }

  /** False if there is no such fold. */
  #describe({ slot, generation, failure }: Detail): boolean {
    const fold = this.#folds.get(slot);
    if (fold?.key.generation !== generation) return false;
    if (fold.wanted) fold.describe(failure, this.#options.judge(failure));
    return true;
  }

  /** The clock on the wall was: nothing waits for a time that is far off again. */
  #setBack(now: number): void {
    this.#reapAt = now;
    for (const [fold, at] of this.#dropped) this.#dropped.set(fold, Math.min(at, now));
    for (const fold of this.#folds.values()) {
      fold.due = Math.min(fold.due, now + this.#options.window);
      fold.lastAt = Math.min(fold.lastAt, now);
    }
  }

  #count(fold: Fold, count: number): void {
    if (fold.key.who === undefined) this.overflowed += count;
    if (!fold.wanted) return;
    const { order, migrateType: type } = fold.key.request;
    const reason = fold.verdict?.reason ?? 'unknown';
    const key = `${order} ${type} ${reason}`;
    const known = this.#counts.get(key);
    if (known) known.count += count;
    else this.#counts.set(key, { order, type, reason, count });
  }

  #refill(now: number): void {
    const { eventsPerSecond } = this.#options;
    const seconds = Math.max(0, now - this.#lookedAt) / 1000;
    this.#tokens = Math.min(eventsPerSecond, this.#tokens + seconds * eventsPerSecond);
    this.#lookedAt = now;
  }

  /** The last look: nothing waits for the end of its window. */
  finish(now: number): void {
    for (const fold of this.#pending) fold.due = 0;
    this.look(now);
    for (const fold of this.#pending) this.#tellOf(fold, fold.due);
  }

  #tellOf(fold: Fold, now: number): void {
    if (now < fold.due) return;
    if (this.#tokens < 1) {
      if (!fold.postponed) this.postponed++;
      fold.postponed = true;
      return;
    }
    this.#tokens--;
    this.#pending.delete(fold);
    const told = fold.take(now + this.#options.window);
    this.folded += told.count - 1;
    this.#options.tell(told);
  }

  /** Slots of folds that are long over are given to others. */
  #reap(now: number): void {
    if (now < this.#reapAt) return;
    this.#reapAt = now + REAP_EVERY;
    const { folds } = this.#options;
    for (const [fold, at] of this.#dropped) {
      if (now - at < GRACE || !isDone(fold)) continue;
      this.#dropped.delete(fold);
      this.#folds.delete(fold.key.slot);
      folds.free(fold.key);
    }
    const idle = this.used > folds.capacity * SCARCE ? IDLE_WHEN_SCARCE : IDLE;
    for (const fold of this.#folds.values()) {
      if (!isDone(fold) || fold.key.who === undefined || this.#dropped.has(fold)) continue;
      if (now - fold.lastAt < idle) continue;
      folds.drop(fold.key);
      this.#dropped.set(fold, now);
    }
  }
}

/** Nothing of it remains to be told. */
const isDone = ({ pending, wanted }: Fold): boolean => pending === 0 || !wanted;
