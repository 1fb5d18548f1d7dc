import type { Who } from '../../core/identity/who.js';
import type { Failure, FoldedFailures } from './failure.js';
import type { FoldKey } from './folds.js';
import type { Verdict } from './verdict/verdict.js';

/** Failures of one slot that no event has told of yet, and what is known of them. */
export class Fold {
  readonly key: FoldKey;
  /** Who failed first; undefined where nobody wants to know. */
  readonly requester: Who | undefined;
  /** The filters let it pass. */
  readonly wanted: boolean;
  /** The last detail; of a window that is over until another comes. */
  detail: Failure | undefined;
  verdict: Verdict | undefined;
  pending = 0;
  /** When an event may tell of it, Unix ms. */
  due = 0;
  /** It waits for the rate bound. */
  postponed = false;
  /** Unix ms. */
  lastAt = 0;
  readonly #window: number;
  #pendingOthers = 0;
  #firstAt = 0;

  /** `window` in ms, as the kernel has it. */
  constructor(key: FoldKey, requester: Who | undefined, wanted: boolean, window: number) {
    this.key = key;
    this.requester = requester;
    this.wanted = wanted;
    this.#window = window;
  }

  /** `first` is when the first of these `count` failed, as far as it is known; Unix ms. */
  add(count: number, others: number, first: number, last: number): void {
    if (this.pending === 0) this.#firstAt = Math.min(first, last);
    this.pending += count;
    this.#pendingOthers += others;
    this.lastAt = last;
    // Of this window there was a detail as well: if it does not follow, it was lost.
    if (this.detail && last - this.detail.time >= this.#window) {
      this.detail = undefined;
      this.verdict = undefined;
    }
  }

  /** A failure of a new window was seen in full: worth telling at once. */
  describe(failure: Failure, verdict: Verdict): void {
    this.detail = failure;
    this.verdict = verdict;
    if (failure.time <= this.lastAt) this.#firstAt = Math.min(this.#firstAt, failure.time);
    this.due = 0;
  }

  /** What is told; the fold begins anew. No sooner than `nextDue` again, unless described anew. */
  take(nextDue: number): FoldedFailures & { readonly verdict: Verdict | undefined } {
    const told = {
      request: this.key.request,
      count: this.pending,
      others: this.#pendingOthers,
      first: this.#firstAt,
      last: this.lastAt,
      requester: this.requester,
      stack: this.key.stack,
      detail: this.detail,
      verdict: this.verdict,
    };
    this.pending = 0;
    this.#pendingOthers = 0;
    this.postponed = false;
    this.due = nextDue;
    return told;
  }
}
