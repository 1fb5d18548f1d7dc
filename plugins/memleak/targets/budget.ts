/**
 * What watching costs the host, and what is done about it: above the budget the sampling interval
 * rises, above the limit the costliest target is left for a while; when the load falls, it comes
 * back step by step. Pure: it is told figures and gives decisions.
 */
import type { ProbeCost } from './probe-cost.js';

/** What a target did since the last look. */
export interface Load {
  readonly key: string;
  /** As people know it. */
  readonly name: string;
  /** Probes hit. */
  readonly hits: number;
  /** Of them those that recorded an allocation, with its stack. */
  readonly recorded: number;
  /** The share of its hits at instructions that the kernel has to step through, 0 to 1. */
  readonly stepped: number;
}

export interface BudgetConfig {
  /** Shares of one CPU; 0: none. */
  readonly budget: number;
  readonly limit: number;
  /** Where the sampling interval begins, and what it comes back to; 0: every allocation. */
  readonly sampling: number;
}

export interface Decision {
  /** Mean bytes between samples from now on. */
  readonly sampling: number;
  /** Targets to be left now. */
  readonly leave: readonly string[];
  /** Targets to be followed again. */
  readonly resume: readonly string[];
  /** Share of one CPU that all of it costs, smoothed. */
  readonly share: number;
  /** For log and status; undefined if nothing changed. */
  readonly said: string | undefined;
}

/**
 * The first step above every allocation, and the last: bytes. Blocks of 100 bytes are sampled one in
 * ten by the first, so that who is but a little over the budget still has the small leaks.
 */
export const FIRST_INTERVAL = 1024;
export const LAST_INTERVAL = 16 * 1024 * 1024;
/** Seconds over which a load is smoothed; a burst of one second changes nothing. */
const SMOOTHING = 3;
/** Seconds between two steps up: the effect of the last has to be seen. */
const RAISE_AFTER = 3;
/** Above the budget by so many times, a step is a long one. */
const FAR = 2;
const LONG_STEP = 8;
/** Seconds below `CALM` of the budget, as it would be one step down, before that step. */
const LOWER_AFTER = 30;
const CALM = 0.5;
/** Seconds that a target is left, the first time and at most: twice as long each time. */
const LEAVE_FIRST = 60;
const LEAVE_LAST = 3600;
/** Seconds of good conduct after which it is the first time again. */
const FORGIVE_AFTER = 600;

interface Share {
  readonly name: string;
  readonly total: number;
  readonly recording: number;
}

interface Left {
  readonly name: string;
  readonly until: number;
  readonly seconds: number;
}

export class Budget {
  readonly #config: BudgetConfig;
  readonly #cost: ProbeCost;
  #sampling: number;
  /** By target, shares of a CPU, smoothed. */
  readonly #shares = new Map<string, Share>();
  readonly #left = new Map<string, Left>();
  readonly #lastLeft = new Map<string, { seconds: number; ended: number }>();
  #before: number | undefined;
  #changed = Number.NEGATIVE_INFINITY;
  #calmSince: number | undefined;

  constructor(config: BudgetConfig, cost: ProbeCost) {
    this.#config = config;
    this.#cost = cost;
    this.#sampling = config.sampling;
  }

  get sampling(): number {
    return this.#sampling;
  }

  /** Seconds until it is followed again; undefined if it is not left. */
  leftUntil(key: string): number | undefined {
    return this.#left.get(key)?.until;
  }

  /** `time`: monotonic, seconds. Loads are since the last call. */
  decide(time: number, loads: readonly Load[]): Decision {
    const seconds = this.#before === undefined ? 0 : time - this.#before;
    this.#before = time;
    if (seconds > 0) this.#smooth(loads, seconds);
    const share = this.#total();
    const leave = this.#leaveOne(time, share);
    const said = leave ?? this.#adjust(time, share);
    const resume = this.#resume(time);
    const words = [said?.said, ...resume.map(({ name }) => `${name} is followed again`)];
    return {
      sampling: this.#sampling,
      leave: leave ? [leave.key] : [],
      resume: resume.map(({ key }) => key),
      share,
      said: words.filter((word) => word !== undefined).join('; ') || undefined,
    };
  }

  /** It has exited. */
  forget(key: string): void {
    this.#shares.delete(key);
    this.#left.delete(key);
    this.#lastLeft.delete(key);
  }

  #smooth(loads: readonly Load[], seconds: number): void {
    const weight = 1 - Math.exp(-seconds / SMOOTHING);
    const seen = new Set<string>();
    for (const { key, name, hits, recorded, stepped } of loads) {
      seen.add(key);
      const recording = (recorded * this.#cost.record) / seconds;
      const hit = this.#cost.hit + stepped * (this.#cost.steppedHit - this.#cost.hit);
      const total = (hits * hit) / seconds + recording;
      const before = this.#shares.get(key) ?? { total: 0, recording: 0 };
      this.#shares.set(key, {
        name,
        total: before.total + weight * (total - before.total),
        recording: before.recording + weight * (recording - before.recording),
      });
    }
    for (const key of this.#shares.keys()) if (!seen.has(key)) this.#shares.delete(key);
  }

  #total(of: 'total' | 'recording' = 'total'): number {
    let sum = 0;
    for (const share of this.#shares.values()) sum += share[of];
    return sum;
  }

  /** Sampling cannot help against what the bare hits cost. */
  #leaveOne(time: number, share: number): { key: string; said: string } | undefined {
    const { limit } = this.#config;
    const bare = share - this.#total('recording');
    const maySample = this.#config.budget > 0 && this.#sampling < LAST_INTERVAL;
    if (limit === 0 || share <= limit || (bare <= limit && maySample)) return undefined;
    const [worst] = [...this.#shares].sort(([, a], [, b]) => b.total - a.total);
    if (!worst) return undefined;
    const [key, { name, total }] = worst;
    const seconds = this.#pauseOf(key, time);
    this.#left.set(key, { name, until: time + seconds, seconds });
    this.#shares.delete(key);
    this.#changed = time;
    return {
      key,
      said: `${name} is left for ${seconds} s: its probes took ${percent(total)} of a CPU, all of them ${percent(share)}, more than the limit of ${percent(limit)}`,
    };
  }

  #pauseOf(key: string, time: number): number {
    const last = this.#lastLeft.get(key);
    if (last === undefined || time - last.ended > FORGIVE_AFTER) return LEAVE_FIRST;
    return Math.min(2 * last.seconds, LEAVE_LAST);
  }

  #resume(time: number): { key: string; name: string }[] {
    const due = [...this.#left].filter(([, { until }]) => until <= time);
    for (const [key, { seconds }] of due) {
      this.#left.delete(key);
      this.#lastLeft.set(key, { seconds, ended: time });
    }
    return due.map(([key, { name }]) => ({ key, name }));
  }

  #adjust(time: number, share: number): { said: string } | undefined {
    const { budget } = this.#config;
    if (budget === 0) return undefined;
    if (share > budget) {
      this.#calmSince = undefined;
      return this.#raise(time, share);
    }
    return this.#lower(time, share);
  }

  #raise(time: number, share: number): { said: string } | undefined {
    const next = this.#next(share);
    // Where recording is a small part of the cost, recording less only makes the result worse.
    const worthwhile = this.#total('recording') > share * MINOR;
    if (time - this.#changed < RAISE_AFTER || next === this.#sampling || !worthwhile) {
      return undefined;
    }
    return this.#step(time, next, `above the budget of ${percent(this.#config.budget)}`, share);
  }

  #next(share: number): number {
    if (this.#sampling === 0) return FIRST_INTERVAL;
    const times = share > FAR * this.#config.budget ? LONG_STEP : 2;
    return Math.max(this.#sampling, Math.min(this.#sampling * times, LAST_INTERVAL));
  }

  #lower(time: number, share: number): { said: string } | undefined {
    const { sampling: first, budget } = this.#config;
    if (this.#sampling === first) return undefined;
    const next = this.#sampling / 2 < Math.max(FIRST_INTERVAL, first) ? first : this.#sampling / 2;
    const recording = this.#total('recording');
    // One step doubles what is recorded; the last, to every allocation, is every second hit.
    const would = next === 0 ? share - recording + this.#everything() : share + recording;
    if (would > budget * CALM) {
      this.#calmSince = undefined;
      return undefined;
    }
    this.#calmSince ??= time;
    if (time - this.#calmSince < LOWER_AFTER) return undefined;
    this.#calmSince = time;
    return this.#step(time, next, `well below the budget of ${percent(budget)}`, share);
  }

  /** What recording every allocation would cost: of hits, half are allocations. */
  #everything(): number {
    const bare = this.#total() - this.#total('recording');
    return (bare / this.#cost.hit / 2) * this.#cost.record;
  }

  #step(time: number, next: number, why: string, share: number): { said: string } {
    this.#sampling = next;
    this.#changed = time;
    // What recording costs now is another figure, to be learnt anew.
    for (const [key, { name, total, recording }] of this.#shares) {
      this.#shares.set(key, { name, total: total - recording, recording: 0 });
    }
    const what = next === 0 ? 'every allocation' : `one sample in ${next / 1024} KiB`;
    return { said: `the probes take ${percent(share)} of a CPU, ${why}: ${what} from now on` };
  }
}

const MINOR = 0.1;

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
