/**
 * The parts of a profile beside a strategy: of each the first choice that works. Facts are asked
 * first; where they all told the truth one load is enough. A load is all or nothing: one that is
 * refused costs the choice whose program the kernel named its place, and the next is tried. Where it
 * named none, the strategy is loaded alone and the parts are added to it one by one.
 */
import type { LoadedBpf, LoadOptions } from '../bpf/host.js';
import { MemWatcherError } from '../errors.js';
import type { Logger } from '../logger.js';
import { discard, type Ground, loadCombination } from './combination.js';
import { missingFacts } from './facts.js';
import type {
  Choice,
  Kernel,
  KernelProfile,
  Part,
  PartReport,
  Strategy,
  StrategyVerdict,
} from './kernel.js';
import { isOurMistake, reasonOf, refusedOf } from './rejection.js';

/** Throws what refused the strategy; a refused part is said in `parts`. */
export function loadWithParts(
  ground: Ground,
  strategy: Strategy,
  options: LoadOptions,
): { readonly loaded: LoadedBpf; readonly parts: readonly PartReport[] } {
  const { parts = [] } = ground.profile;
  const searches = parts
    .filter(({ name }) => options.without?.includes(name) !== true)
    .map((part) => new PartSearch(part, ground.kernel));
  const loaded = search(ground, strategy, searches, options);
  const reports = searches.map((each) => each.report(loaded));
  const untried = untriedParts(ground.profile);
  return {
    loaded,
    parts: untried.map((none) => reports.find(({ part }) => part === none.part) ?? none),
  };
}

function search(
  ground: Ground,
  strategy: Strategy,
  searches: readonly PartSearch[],
  options: LoadOptions,
): LoadedBpf {
  const load: Load = (which) => {
    const choices = new Map(
      which.flatMap(({ part: { name }, choice }) => (choice ? [[name, choice]] : [])),
    );
    return loadCombination(ground, { strategy, choices }, options);
  };
  for (;;) {
    const candidates = searches.filter(({ choice }) => choice !== undefined);
    try {
      return load(candidates);
    } catch (error) {
      if (candidates.length === 0 || isOurMistake(error)) throw error;
      const culprit = named(error, strategy, candidates);
      if (culprit === undefined) return findOut(load, candidates, ground.logger);
      culprit.reject(error, ground.logger);
    }
  }
}

type Load = (parts: readonly PartSearch[]) => LoadedBpf;

/** Whose program the error names, unless it is not only theirs. */
function named(
  error: unknown,
  strategy: Strategy,
  candidates: readonly PartSearch[],
): PartSearch | undefined {
  const program = error instanceof MemWatcherError ? error.program : undefined;
  if (program === undefined || strategy.programs.includes(program)) return undefined;
  const users = candidates.filter(({ choice }) => choice?.programs.includes(program));
  return users.length === 1 ? users[0] : undefined;
}

/** The strategy alone, and then part by part what goes with it. */
function findOut(load: Load, candidates: readonly PartSearch[], logger: Logger): LoadedBpf {
  let loaded: LoadedBpf | undefined = load([]);
  const working: PartSearch[] = [];
  for (const candidate of candidates) {
    while (candidate.choice !== undefined && !working.includes(candidate)) {
      // Never two at once: what they hold in the kernel may be much.
      if (loaded) discard(loaded, logger);
      loaded = undefined;
      try {
        loaded = load([...working, candidate]);
        working.push(candidate);
      } catch (error) {
        if (isOurMistake(error)) throw error;
        candidate.reject(error, logger);
      }
    }
  }
  return loaded ?? load(working);
}

type Rejection = Pick<StrategyVerdict, 'reasons' | 'refused'>;

/** One part's way through its choices. */
class PartSearch {
  readonly #kernel: Kernel;
  readonly #rejected = new Map<Choice, Rejection>();
  #choice: Choice | undefined;

  constructor(
    readonly part: Part,
    kernel: Kernel,
  ) {
    this.#kernel = kernel;
    this.#choice = this.#next();
  }

  /** The best that was not rejected yet; undefined if all were. */
  get choice(): Choice | undefined {
    return this.#choice;
  }

  reject(error: unknown, logger: Logger): void {
    const reason = reasonOf(error);
    const { part, choice } = this;
    logger.debug({ part: part.name, choice: choice?.name, reason }, 'part rejected');
    const refused = refusedOf(error);
    if (choice) this.#rejected.set(choice, { reasons: [reason], ...(refused && { refused }) });
    this.#choice = this.#next();
  }

  report({ parts }: LoadedBpf): PartReport {
    const { name: part, choices } = this.part;
    const chosen = parts.get(part);
    const verdicts = choices.map((choice): StrategyVerdict => {
      const rejection = this.#rejected.get(choice);
      const outcome = choice.name === chosen ? 'chosen' : rejection ? 'rejected' : 'not-tried';
      return { strategy: choice.name, outcome, reasons: [], ...rejection };
    });
    return { part, chosen, verdicts };
  }

  #next(): Choice | undefined {
    return this.part.choices.find((choice) => {
      if (this.#rejected.has(choice)) return false;
      const missing = missingFacts(this.#kernel, choice);
      if (missing.length > 0) this.#rejected.set(choice, { reasons: missing });
      return missing.length === 0;
    });
  }
}

/** The parts as they are where no strategy works, or the plugin does without them. */
export function untriedParts({ parts = [] }: KernelProfile): PartReport[] {
  return parts.map(({ name: part, choices }) => ({
    part,
    chosen: undefined,
    verdicts: choices.map(({ name: strategy }) => ({
      strategy,
      outcome: 'not-tried',
      reasons: [],
    })),
  }));
}
