/**
 * What watching costs the host, and what is done about it. Above the budget the sampling interval of
 * the target that records the most rises. Where its bare hits are above the budget, which sampling
 * does not change, it is traced in turns: whole for a while, then paused for so long that the budget is
 * held on average. Above the limit the costliest target is paused at once. When the load falls, all of
 * it comes back step by step. Pure: it is told figures and gives decisions.
 */
import { type Account, type BudgetConfig, percent, type Share } from './account.js';
import type { ProbeCost } from './probe-cost.js';
import { LAST_INTERVAL, Sampling } from './sampling.js';
import { bareOf, markHot, restAfter, TURN, turnOf } from './turns.js';

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

export interface Decision {
  /** Targets to be paused now, and why. */
  readonly leave: ReadonlyMap<string, string>;
  /** Targets to be followed again. */
  readonly resume: readonly string[];
  /** Share of one CPU that all of it costs, smoothed. */
  readonly share: number;
  /** For log and status; undefined if nothing changed. */
  readonly said: string | undefined;
}

/** Seconds over which a load is smoothed; a burst of one second changes nothing. */
const SMOOTHING = 3;
/** Looks in a row above the limit after which nothing is smoothed any more. */
const BURST = 2;
/** Seconds that a target is left, the first time and at most: twice as long each time. */
const LEAVE_FIRST = 60;
const LEAVE_LAST = 3600;
/** Seconds of good conduct after which it is the first time again. */
const FORGIVE_AFTER = 600;

interface Left {
  readonly name: string;
  readonly until: number;
  readonly seconds: number;
  /** Share of a CPU that its bare hits took, if it is between two of its turns and not above the limit. */
  readonly bare: number | undefined;
}

interface Pause {
  readonly key: string;
  readonly why: string;
  readonly said: string;
}

const NOTHING: Share = { total: 0, recording: 0 };

export class Budget {
  readonly #config: BudgetConfig;
  readonly #sampling: Sampling;
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
    this.#sampling = new Sampling(config, cost);
  }

  /** Mean bytes between two samples of the target. */
  samplingOf(key: string): number {
    return this.#accounts.get(key)?.sampling ?? this.#config.sampling;
  }

  /** When it is followed again, monotonic seconds; undefined if it is not left. */
  leftUntil(key: string): number | undefined {
    return this.#left.get(key)?.until;
  }

  /** `time`: monotonic, seconds. Loads are since the last call. */
  decide(time: number, loads: readonly Load[]): Decision {
    const seconds = this.#before === undefined ? 0 : time - this.#before;
    this.#before = time;
    if (seconds > 0) this.#take(loads, seconds);
    const share = this.#sum(({ share: { total } }) => total);
    const { budget } = this.#config;
    if (budget > 0) markHot(time, this.#accounts.values(), this.#betweenTurns, budget);
    const limited = this.#leaveOne(time, share);
    const paused = limited ? [limited] : this.#endTurns(time);
    const steps = limited ? [] : this.#sampling.steps(time, this.#accounts.values());
    const resume = this.#resume(time);
    const words = [
      ...paused.map(({ said }) => said),
      ...steps.map((step) => this.#sampling.apply(step, time, share)),
      ...resume.map(({ name }) => `${name} is followed again`),
    ];
    return {
      leave: new Map(paused.map(({ key, why }) => [key, why])),
      resume: resume.map(({ key }) => key),
      share,
      said: words.join('; ') || undefined,
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
      account.spent += now.total * seconds;
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
      hotSince: undefined,
      spent: 0,
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

  /** What the bare hits took of those who are between two of their turns. */
  get #betweenTurns(): readonly number[] {
    return [...this.#left.values()].flatMap(({ bare }) => bare ?? []);
  }

  #endTurns(time: number): readonly Pause[] {
    return [...this.#accounts].flatMap(([key, account]) => {
      const turn = turnOf(account, time);
      return turn < TURN ? [] : [this.#endTurn(key, account, turn, time)];
    });
  }

  #endTurn(key: string, account: Account, turn: number, time: number): Pause {
    const { name, spent } = account;
    const { budget } = this.#config;
    const rest = restAfter(account, turn, this.#accounts.values(), this.#betweenTurns, budget);
    const seconds = Math.min(rest, LEAVE_LAST);
    this.#left.set(key, { name, until: time + seconds, seconds, bare: bareOf(account) });
    this.#accounts.delete(key);
    const why =
      `traced in turns, now paused for ${seconds} s: its probes take ${percent(spent / turn)} of a CPU, ` +
      `above the budget of ${percent(budget)}, and sampling cannot lower that`;
    return { key, why, said: `${name} is ${why}` };
  }

  #sum(figure: (account: Account) => number): number {
    let sum = 0;
    for (const account of this.#accounts.values()) sum += figure(account);
    return sum;
  }

  /** Sampling cannot help against what the bare hits cost. */
  #leaveOne(time: number, share: number): Pause | undefined {
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
    this.#left.set(key, { name: worst.name, until: time + seconds, seconds, bare: undefined });
    this.#accounts.delete(key);
    this.#above = 0;
    return {
      key,
      why: 'it is not watched for a while, as it costs too much',
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
    for (const [key, { seconds, bare }] of due) {
      this.#left.delete(key);
      if (bare === undefined) this.#lastLeft.set(key, { seconds, ended: time });
    }
    return due.map(([key, { name }]) => ({ key, name }));
  }
}
