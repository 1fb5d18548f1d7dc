import { withoutCredentials } from '../config/credentials.js';
import type { Logger } from '../logger.js';
import type { Clock } from './clock.js';
import type { OutcomeCounts } from './outcome.js';
import type { SignalSettings } from './settings.js';

export interface StateLogOptions {
  readonly settings: SignalSettings;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** An endpoint that comes and goes every few seconds is told once in so many ms. */
const QUIET = 60_000;

/** Says that an endpoint fails or works again once a change, with counts, never once a try. */
export class StateLog {
  readonly endpoint: string;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #what: string;
  #failingSince: number | undefined;
  #before: OutcomeCounts | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;
  #told = false;
  #toldRejecting: string | undefined;

  constructor({ settings, logger, clock }: StateLogOptions) {
    const { exporter, signal, url } = settings;
    this.endpoint = withoutCredentials(url.href);
    this.#logger = logger;
    this.#clock = clock;
    this.#what = `export of ${signal} to ${exporter} (${this.endpoint})`;
  }

  failing(error: string, counts: OutcomeCounts): void {
    const now = this.#clock.now();
    if (this.#failingSince === undefined) {
      this.#failingSince = now;
      this.#before = { ...counts };
      this.#told = false;
    }
    // What failed again too soon to be told is told once it has lasted.
    if (this.#told || Math.abs(now - this.#toldAt) < QUIET) return;
    this.#told = true;
    this.#toldAt = now;
    this.#logger.warn({ error }, `${this.#what} is failing: ${error}`);
  }

  working(counts: OutcomeCounts): void {
    const [since, before] = [this.#failingSince, this.#before];
    if (since === undefined || before === undefined) return;
    this.#failingSince = undefined;
    if (!this.#told) return;
    const seconds = Math.round((this.#clock.now() - since) / 1000);
    const lost = difference(counts, before);
    this.#logger.info(lost, `${this.#what} works again after ${seconds} s`);
  }

  /** The endpoint takes requests, but not all that is in them. Told once a reason. */
  rejecting(reason: string): void {
    if (this.#toldRejecting === reason) return;
    this.#toldRejecting = reason;
    this.#logger.warn({ reason }, `${this.#what}: a part is rejected: ${reason}`);
  }

  closed(counts: OutcomeCounts): void {
    if (counts.dropped + counts.failed === 0) return;
    const { failed, dropped } = counts;
    this.#logger.warn({ failed, dropped }, `${this.#what}: not all was delivered`);
  }
}

function difference(now: OutcomeCounts, before: OutcomeCounts) {
  return {
    failed: now.failed - before.failed,
    dropped: now.dropped - before.dropped,
    retried: now.retried - before.retried,
  };
}
