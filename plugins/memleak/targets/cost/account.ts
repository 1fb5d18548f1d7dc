/** What is kept of a target that is traced, and what is configured. */

/** Shares of one CPU. */
export interface Share {
  readonly total: number;
  readonly recording: number;
}

export interface Account {
  name: string;
  /** Smoothed, and since the last look. */
  share: Share;
  now: Share;
  sampling: number;
  /** When its sampling changed last, and since when it is calm: seconds. */
  changed: number;
  calmSince: number | undefined;
  /** Since when its bare hits are too many for the budget: seconds. */
  hotSince: number | undefined;
  /** What it took since then: CPU seconds. */
  spent: number;
}

export interface BudgetConfig {
  /** Shares of one CPU; 0: none. */
  readonly budget: number;
  readonly limit: number;
  /** Where sampling intervals begin, and what they come back to; 0: every allocation. */
  readonly sampling: number;
}

export const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
