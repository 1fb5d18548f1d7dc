/**
 * What watching costs the host, and what is done about it: above the budget the sampling interval of
 * the target that records the most rises, above the limit the costliest target is left for a while; when
 * the load falls, both come back step by step. Pure: it is told figures and gives decisions.
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
  /** Where sampling intervals begin, and what they come back to; 0: every allocation. */
  readonly sampling: number;
}

export interface Decision {
  /** By target: mean bytes between samples from now on, of those for which it changes. */
  readonly samplings: ReadonlyMap<string, number>;
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
/** Looks in a row above the limit after which nothing is smoothed any more. */
const BURST = 2;
/** Seconds between two steps up: the effect of the last has to be seen. */
const RAISE_AFTER = 3;
/** Above the budget by so many times, a step is a long one. */
const FAR = 2;
const LONG_STEP = 8;
/** Seconds below `CALM` of the budget, as it would be one step down, before that step. */
const LOWER_AFTER = 30;
const CALM = 0.5;
/** Where recording is a smaller part of all cost, recording less only makes the result worse. */
const MINOR = 0.1;
/** Who records at least one in so many of what the most do is sampled with them. */
const ALIKE = 2;
/** Seconds that a target is left, the first time and at most: twice as long each time. */
const LEAVE_FIRST = 60;
const LEAVE_LAST = 3600;
/** Seconds of good conduct after which it is the first time again. */
const FORGIVE_AFTER = 600;

/** Shares of one CPU. */
interface Share {
  readonly total: number;
  readonly recording: number;
}

interface Account {
  name: string;
  /** Smoothed, and since the last look. */
  share: Share;
  now: Share;
  sampling: number;
  /** When its sampling changed last, and since when it is calm: seconds. */
  changed: number;
  calmSince: number | undefined;
}

interface Left {
  readonly name: string;
  readonly until: number;
  readonly seconds: number;
}

interface Step {
  readonly key: string;
  readonly account: Account;
  readonly sampling: number;
  readonly why: string;
}

const NOTHING: Share = { total: 0, recording: 0 };

export class Budget {
  readonly #config: BudgetConfig;
  readonly #accounts = new Map<string, Account>();
  readonly #left = new Map<string, Left>();
  readonly #lastLeft = new Map<string, { seconds: number; ended: number }>();
  #before: number | undefined;
  /** Looks in a row above the limit. */
  #above = 0;

  constructor(
    config: BudgetConfig,
    /** As it was measured last. */
    private readonly cost: () => ProbeCost,
  ) {
    this.#config = config;
  }

  /** Mean bytes between two samples of the target. */
  samplingOf(key: string): number {
    return this.#accounts.get(key)?.sampling ?? this.#config.sampling;
  }

  /** Seconds until it is followed again; undefined if it is not left. */
  leftUntil(key: string): number | undefined {
    return this.#left.get(key)?.until;
  }

  /** `time`: monotonic, seconds. Loads are since the last call. */
  decide(time: number, loads: readonly Load[]): Decision {
    const seconds = this.#before === undefined ? 0 : time - this.#before;
    this.#before = time;
    if (seconds > 0) this.#take(loads, seconds);
    const share = this.#sum(({ share: { total } }) => total);
    const left = this.#leaveOne(time, share);
    const steps = left ? [] : this.#steps(time, share);
    const resume = this.#resume(time);
    const words = [
      left?.said,
      ...steps.map((step) => this.#apply(step, time, share)),
      ...resume.map(({ name }) => `${name} is followed again`),
    ];
    return {
      samplings: new Map(steps.map(({ key, sampling }) => [key, sampling])),
      leave: left ? [left.key] : [],
      resume: resume.map(({ key }) => key),
      share,
      said: words.filter((word) => word !== undefined).join('; ') || undefined,
    };
  }

  /** It has exited. */
  forget(key: string): void {
    this.#accounts.delete(key);
    this.#left.delete(key);
    this.#lastLeft.delete(key);
  }

  #take(loads: readonly Load[], seconds: number): void {
    const weight = 1 - Math.exp(-seconds / SMOOTHING);
    const seen = new Set<string>();
    for (const load of loads) {
      seen.add(load.key);
      const account = this.#accountOf(load);
      const now = this.#shareOf(load, seconds);
      account.now = now;
      account.share = {
        total: account.share.total + weight * (now.total - account.share.total),
        recording: account.share.recording + weight * (now.recording - account.share.recording),
      };
    }
    for (const key of this.#accounts.keys()) if (!seen.has(key)) this.#accounts.delete(key);
    const { limit } = this.#config;
    const bare = this.#sum(({ now }) => now.total - now.recording);
    this.#above = limit > 0 && bare > limit ? this.#above + 1 : 0;
  }

  #accountOf({ key, name }: Load): Account {
    const known = this.#accounts.get(key);
    if (known) return known;
    const account: Account = {
      name,
      share: NOTHING,
      now: NOTHING,
      sampling: this.#config.sampling,
      changed: Number.NEGATIVE_INFINITY,
      calmSince: undefined,
    };
    this.#accounts.set(key, account);
    return account;
  }

  #shareOf({ hits, recorded, stepped }: Load, seconds: number): Share {
    const { hit, steppedHit, record } = this.cost();
    const recording = (recorded * record) / seconds;
    return {
      total: (hits * (hit + stepped * (steppedHit - hit))) / seconds + recording,
      recording,
    };
  }

  #sum(figure: (account: Account) => number): number {
    let sum = 0;
    for (const account of this.#accounts.values()) sum += figure(account);
    return sum;
  }

  /** Sampling cannot help against what the bare hits cost. */
  #leaveOne(time: number, share: number): { key: string; said: string } | undefined {
    const { limit, budget } = this.#config;
    if (limit === 0) return undefined;
    const [key, worst] = this.#worst();
    if (!worst) return undefined;
    const isSudden = this.#above >= BURST;
    const bare = share - this.#sum(({ share: { recording } }) => recording);
    const maySample = budget > 0 && worst.sampling < LAST_INTERVAL;
    if (!isSudden && (share <= limit || (bare <= limit && maySample))) return undefined;
    const total = Math.max(worst.share.total, isSudden ? worst.now.total : 0);
    const all = Math.max(share, isSudden ? this.#sum(({ now }) => now.total) : 0);
    const seconds = this.#pauseOf(key, time);
    this.#left.set(key, { name: worst.name, until: time + seconds, seconds });
    this.#accounts.delete(key);
    this.#above = 0;
    return {
      key,
      said: `${worst.name} is left for ${seconds} s: its probes took ${percent(total)} of a CPU, all of them ${percent(all)}, more than the limit of ${percent(limit)}`,
    };
  }

  #worst(): [key: string, account: Account | undefined] {
    const costOf = ({ share, now }: Account) => Math.max(share.total, now.total);
    const sorted = [...this.#accounts].sort(([, a], [, b]) => costOf(b) - costOf(a));
    return sorted[0] ?? ['', undefined];
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

  #steps(time: number, share: number): readonly Step[] {
    const { budget } = this.#config;
    if (budget === 0) return [];
    if (share <= budget) return this.#lower(time, share);
    for (const account of this.#accounts.values()) account.calmSince = undefined;
    return this.#raise(time, share);
  }

  /** Who record the most, together, so that the others lose nothing by it. */
  #raise(time: number, share: number): readonly Step[] {
    const { budget } = this.#config;
    const changed = Math.max(...[...this.#accounts.values()].map((account) => account.changed));
    const recording = this.#sum((account) => account.share.recording);
    if (time - changed < RAISE_AFTER || recording <= share * MINOR) return [];
    const able = [...this.#accounts].flatMap(([key, account]): Step[] => {
      const sampling = nextOf(account, share > FAR * budget);
      const why = `above the budget of ${percent(budget)}`;
      return sampling === account.sampling ? [] : [{ key, account, sampling, why }];
    });
    const most = Math.max(0, ...able.map(({ account }) => account.share.recording));
    return able.filter(
      ({ account: { share: of } }) => of.recording > 0 && of.recording >= most / ALIKE,
    );
  }

  #lower(time: number, share: number): readonly Step[] {
    const { sampling: first, budget } = this.#config;
    let lowest: Step | undefined;
    for (const [key, account] of this.#accounts) {
      if (account.sampling === first) continue;
      const half = account.sampling / 2;
      const next = half < Math.max(FIRST_INTERVAL, first) ? first : half;
      if (share + this.#extra(account, next) > budget * CALM) {
        account.calmSince = undefined;
        continue;
      }
      account.calmSince ??= time;
      if (time - account.calmSince < LOWER_AFTER) continue;
      if (lowest && lowest.account.sampling >= account.sampling) continue;
      lowest = { key, account, sampling: next, why: `well below the budget of ${percent(budget)}` };
    }
    return lowest ? [lowest] : [];
  }

  /** One step doubles what is recorded; the last, to every allocation, is every second hit. */
  #extra({ share: { total, recording } }: Account, next: number): number {
    if (next !== 0) return recording;
    const { hit, record } = this.cost();
    return ((total - recording) / hit / 2) * record - recording;
  }

  #apply({ account, sampling, why }: Step, time: number, share: number): string {
    account.sampling = sampling;
    account.changed = time;
    account.calmSince = sampling === this.#config.sampling ? undefined : time;
    // What recording costs now is another figure, to be learnt anew.
    const { total, recording } = account.share;
    account.share = { total: total - recording, recording: 0 };
    const what = sampling === 0 ? 'every allocation' : `one sample in ${sampling / 1024} KiB`;
    return `the probes take ${percent(share)} of a CPU, ${why}: ${what} of ${account.name} from now on`;
  }
}

function nextOf({ sampling }: Account, isFar: boolean): number {
  if (sampling === 0) return FIRST_INTERVAL;
  return Math.max(sampling, Math.min(sampling * (isFar ? LONG_STEP : 2), LAST_INTERVAL));
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
