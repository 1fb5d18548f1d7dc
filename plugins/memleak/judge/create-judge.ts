import type { Judgement, Reading } from '../model.js';
import { isLosing, withEvidence } from './evidence.js';
import { Examiner } from './examiner.js';
import type { Finding } from './finding.js';
import type { Change, Judge, Surroundings } from './judge.js';
import { isKnown, withDoubt } from './known.js';
import { JUDGE_DEFAULTS, type JudgeOptions } from './options.js';
import { identityOf, type SavedJudge, type SavedStack } from './saved.js';
import { StackRecord } from './stack.js';
import { judgementOf, nextState, unknownOf } from './states.js';

/** A judge that can be saved, and go on with what was saved before a restart of the agent. */
export interface LastingJudge extends Judge {
  /**
   * What is worth keeping, the most suspicious first and no more than `most` stacks. Of those of
   * before that were not seen again yet, what `lives` says of by their identity.
   */
  save(lives?: (identity: string) => boolean, most?: number): SavedJudge;
  /** Goes on with what an earlier judge has saved: with each stack as it is seen again. */
  resume(saved: SavedJudge): void;
}

export function createJudge(options: Partial<JudgeOptions> = {}, saved?: SavedJudge): LastingJudge {
  const judge = new StackJudge({ ...JUDGE_DEFAULTS, ...options });
  if (saved) judge.resume(saved);
  return judge;
}

class StackJudge implements LastingJudge {
  readonly #stacks = new Map<string, StackRecord>();
  readonly #examiner: Examiner;

  /** By identity: stacks of before the restart, and paused ones, that were not seen again yet. */
  readonly #before = new Map<string, SavedStack>();
  /** By key. */
  readonly #identities = new Map<string, string>();

  constructor(private readonly options: JudgeOptions) {
    this.#examiner = new Examiner(options);
  }

  resume(saved: SavedJudge): void {
    if (saved.window !== this.options.window) return;
    for (const stack of saved.stacks) this.#before.set(stack.identity, stack);
  }

  observe(reading: Reading, time: number, surroundings: Surroundings): void {
    let stack = this.#stacks.get(reading.key);
    if (!stack) {
      stack = new StackRecord(reading.key, time, surroundings, this.options);
      this.#stacks.set(reading.key, stack);
      const identity = identityOf(reading);
      this.#identities.set(reading.key, identity);
      const before = this.#before.get(identity);
      if (before) {
        this.#before.delete(identity);
        stack.resume(before, time);
      }
    }
    stack.observe(reading, time, surroundings);
  }

  conclude(_time: number, now: number): readonly Change[] {
    const changes: Change[] = [];
    for (const stack of this.#stacks.values()) {
      const before = stack.judgement;
      const examined = stack.ended((horizon, n) => {
        stack.findings[n] = this.#examiner.examine(stack, horizon);
      });
      const isNews = stack.hasNews && isLosing(stack, this.options);
      if (examined || !before || stack.gone || isNews) this.#judge(stack, now);
      const after = stack.judgement;
      if (before && after && before.state !== after.state) {
        changes.push({ key: stack.key, before, after });
      }
      if (stack.gone) {
        this.#stacks.delete(stack.key);
        this.#identities.delete(stack.key);
      }
    }
    return changes;
  }

  judgement(key: string): Judgement | undefined {
    return this.#stacks.get(key)?.judgement;
  }

  forget(key: string): void {
    const stack = this.#stacks.get(key);
    if (stack) stack.gone = true;
  }

  pause(key: string): void {
    const stack = this.#stacks.get(key);
    const saved = stack && isWorthKeeping(stack) && stack.save(this.#identities.get(key) ?? key);
    if (saved) this.#before.set(saved.identity, saved);
    for (const identity of this.#before.keys()) {
      if (this.#before.size <= MOST_SAVED) break;
      this.#before.delete(identity);
    }
    this.forget(key);
  }

  save(lives: (identity: string) => boolean = () => true, most = MOST_SAVED): SavedJudge {
    const seen = [...this.#stacks.values()]
      .filter(isWorthKeeping)
      .sort((a, b) => RANK[stateOf(b)] - RANK[stateOf(a)] || b.bytes - a.bytes)
      .slice(0, most)
      .flatMap((stack) => stack.save(this.#identities.get(stack.key) ?? stack.key) ?? []);
    const unseen = [...this.#before.values()].filter(({ identity }) => lives(identity));
    // Of one rank what is seen comes first, and then the order that it was saved in.
    const stacks = [...seen, ...unseen]
      .sort((a, b) => RANK[b.judgement.state] - RANK[a.judgement.state])
      .slice(0, most);
    return { version: 2, window: this.options.window, stacks };
  }

  #judge(stack: StackRecord, now: number): void {
    const { options } = this;
    const finding = withDoubt(withEvidence(decide(stack), stack, options), stack, options);
    if (finding.class === 'leak' && finding.still === 0) {
      stack.grows((finding.growth ?? 0) / 3600);
    }
    stack.judgement = isKnown(finding, stack, options)
      ? judgementOf(stack, nextState(stack, finding, options), finding, now)
      : unknownOf(stack, finding, now);
  }
}

const stateOf = (stack: StackRecord) => stack.judgement?.state ?? 'watching';

/** Of fewer slots nothing can be said, and as much is soon seen again. */
const isWorthKeeping = ({ horizons, judgement }: StackRecord): boolean =>
  judgement !== undefined && (horizons[0]?.length ?? 0) >= 4;

/** Stacks. */
const MOST_SAVED = 500;

/** What is kept first. */
const RANK = { watching: 0, resolved: 1, suspected: 2, confirmed: 3 } as const;

const NOTHING: Finding = {
  confidence: 0,
  strength: 'none',
  still: 0,
  reason: 'no window has ended yet',
};

/**
 * One finding of all horizons: the strongest leak that no coarser horizon knows to level off or to
 * come and go, else what the coarsest that has seen enough says.
 */
function decide(stack: StackRecord): Finding {
  let best: Finding | undefined;
  for (let n = stack.horizons.length - 1; n >= 0; n--) {
    const finding = stack.findings[n];
    if (!finding) continue;
    if (!best || finding.strength === 'strong' || (best.strength === 'none' && !best.class)) {
      best = finding;
    }
    if (n > 0 && finding.contradicts) return finding;
  }
  return best ? { ...best, paused: (best.paused ?? false) || coarserPaused(stack) } : NOTHING;
}

/** Whether a coarser horizon sees growth that is only not yet due again. */
const coarserPaused = ({ findings }: StackRecord): boolean =>
  findings.some((finding, n) => n > 0 && finding?.paused === true);
