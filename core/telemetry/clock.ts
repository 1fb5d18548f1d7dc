import { setTimeout as sleep } from 'node:timers/promises';

/** Time as the exporters see it, so that tests can make it pass. */
export interface Clock {
  /** Unix ms. */
  now(): number;
  /** Resolves after `ms`, or as soon as `signal` aborts; never rejects. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: Date.now,
  wait: (ms, signal) => sleep(ms, undefined, { signal, ref: false }).catch(() => undefined),
};
