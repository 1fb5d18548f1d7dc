import { setTimeout as sleep } from 'node:timers/promises';
import { steadyNow } from '../identity/boot-moment.js';

/** Time as the exporters see it, so that tests can make it pass. */
export interface Clock {
  /** Unix ms. */
  now(): number;
  /** Unix ms by a clock that nobody sets: see `steadyNow`. */
  steady(): number;
  /** Resolves after `ms`, or as soon as `signal` aborts; never rejects. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: Date.now,
  steady: steadyNow,
  wait: (ms, signal) => sleep(ms, undefined, { signal, ref: false }).catch(() => undefined),
};
