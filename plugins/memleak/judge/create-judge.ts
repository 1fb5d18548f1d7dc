import type { Judgement, Reading } from '../model.js';
import { Examiner } from './examiner.js';
import type { Finding } from './finding.js';
import type { Change, Judge, Surroundings } from './judge.js';
import { JUDGE_DEFAULTS, type JudgeOptions } from './options.js';
import { StackRecord } from './stack.js';
import { judgementOf, nextState } from './states.js';

export function createJudge(options: Partial<JudgeOptions> = {}): Judge {
  return new StackJudge({ ...JUDGE_DEFAULTS, ...options });
}

class StackJudge implements Judge {
  readonly #stacks = new Map<string, StackRecord>();
  readonly #examiner: Examiner;

  constructor(private readonly options: JudgeOptions) {
    this.#examiner = new Examiner(options);
  }

  observe(reading: Reading, time: number, surroundings: Surroundings): void {
    let stack = this.#stacks.get(reading.key);
    if (!stack) {
      stack = new StackRecord(reading.key, time, surroundings, this.options);
      this.#stacks.set(reading.key, stack);
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
      if (examined || !before || stack.gone) this.#judge(stack, now);
      const after = stack.judgement;
      if (before && after && before.state !== after.state) {
        changes.push({ key: stack.key, before, after });
      }
      if (stack.gone) this.#stacks.delete(stack.key);
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

  #judge(stack: StackRecord, now: number): void {
    const finding = decide(stack);
    const enough = stack.coverage >= this.options.minCoverage;
    const state = enough ? nextState(stack, finding, this.options) : stateOf(stack);
    stack.judgement = judgementOf(stack, state, finding, now, this.options);
  }
}

const stateOf = (stack: StackRecord) => stack.judgement?.state ?? 'watching';

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
