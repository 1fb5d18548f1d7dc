/**
 * From a profile to a plugin that sees: each strategy in order of preference is asked for its
 * facts, loaded and attached; the first that works is taken. The kernel is the final judge, since
 * facts can hold where the verifier or a security policy still refuses.
 */
import type { BpfLoader, LoadedBpf, LoadOptions } from '../bpf/host.js';
import { nearest } from '../config/nearest.js';
import { describeError, MemWatcherError, NotSupported } from '../errors.js';
import type { Ground } from './combination.js';
import { missingFacts } from './facts.js';
import type {
  Choice,
  Kernel,
  KernelProfile,
  PartReport,
  Strategy,
  StrategyReport,
  StrategyVerdict,
} from './kernel.js';
import { loadWithParts, untriedParts } from './parts.js';
import { permissionShortage } from './permission.js';
import { isOurMistake, reasonOf, refusedOf } from './rejection.js';

export interface BpfLoaderOptions extends Ground {
  /** `auto`, or the name of the only strategy to try. */
  readonly strategy: string;
  /** Called once a `load`, whether it succeeded or not. */
  readonly onReport?: (report: StrategyReport) => void;
}

export function createBpfLoader(options: BpfLoaderOptions): BpfLoader {
  return { load: (loadOptions) => load(options, loadOptions ?? {}) };
}

/**
 * What the facts alone say of every strategy and of every choice of the parts, without loading
 * anything: rejected with the reasons, or not tried.
 */
export function explain(kernel: Kernel, profile: KernelProfile): StrategyReport {
  const judge = (candidate: Strategy | Choice): StrategyVerdict => {
    const reasons = missingFacts(kernel, candidate);
    const outcome = reasons.length > 0 ? 'rejected' : 'not-tried';
    return { strategy: candidate.name, outcome, reasons };
  };
  return {
    plugin: profile.plugin,
    chosen: undefined,
    verdicts: profile.strategies.map(judge),
    parts: (profile.parts ?? []).map(({ name: part, choices }) => ({
      part,
      chosen: undefined,
      verdicts: choices.map(judge),
    })),
  };
}

function load(options: BpfLoaderOptions, loadOptions: LoadOptions): LoadedBpf {
  const { profile, kernel, logger } = options;
  const attempts = new Map<string, Attempt>();
  knownParts(profile, loadOptions);
  try {
    const candidates = candidatesOf(profile, options.strategy);
    const obstacle = obstacleToAll(kernel);
    if (obstacle !== undefined) throw obstacle;
    for (const strategy of candidates) {
      const attempt = tryStrategy(options, strategy, loadOptions);
      attempts.set(strategy.name, attempt);
      if (attempt.loaded !== undefined) return attempt.loaded;
      logger.debug({ strategy: strategy.name, reasons: attempt.reasons }, 'strategy rejected');
    }
  } finally {
    options.onReport?.(reportOf(profile, attempts));
  }
  throw nothingWorks(options, attempts);
}

/** What became of one strategy. */
interface Attempt {
  readonly loaded?: LoadedBpf;
  readonly parts?: readonly PartReport[];
  readonly reasons: readonly string[];
  readonly error?: unknown;
}

function tryStrategy(
  options: BpfLoaderOptions,
  strategy: Strategy,
  loadOptions: LoadOptions,
): Attempt {
  const reasons = missingFacts(options.kernel, strategy);
  if (reasons.length > 0) return { reasons };
  try {
    return { ...loadWithParts(options, strategy, loadOptions), reasons };
  } catch (error) {
    if (isOurMistake(error)) throw error;
    return { reasons: [reasonOf(error)], error };
  }
}

/** The plugin names them, not its user. */
function knownParts({ plugin, parts = [] }: KernelProfile, { without = [] }: LoadOptions): void {
  for (const name of without) {
    if (parts.some((part) => part.name === name)) continue;
    throw new MemWatcherError('INTERNAL', `${plugin} has no part ${name} to do without`, {
      hint: `config/kernel/${plugin}.yaml has ${parts.map((part) => part.name).join(', ')}`,
    });
  }
}

function candidatesOf(profile: KernelProfile, wanted: string): readonly Strategy[] {
  if (wanted === 'auto') return profile.strategies.filter(({ manual }) => manual !== true);
  const strategy = profile.strategies.find(({ name }) => name === wanted);
  if (strategy !== undefined) return [strategy];
  const names = profile.strategies.map(({ name }) => name);
  const near = nearest(wanted, names);
  throw new MemWatcherError(
    'CONFIG_INVALID',
    `plugins.${profile.plugin}.strategy: there is no strategy ${wanted}` +
      (near === undefined ? '' : `; did you mean ${near}?`),
    { hint: `write auto, or one of ${names.join(', ')}` },
  );
}

/** What stands in the way of every strategy alike, so that it is said once. */
function obstacleToAll(kernel: Kernel): MemWatcherError | undefined {
  const shortage = permissionShortage(kernel);
  if (shortage !== undefined || kernel.btfPath !== undefined) return shortage;
  return new NotSupported('BTF', {
    hint: 'it was built without CONFIG_DEBUG_INFO_BTF; give its BTF with --btf FILE or kernel.btf',
  });
}

function reportOf(profile: KernelProfile, attempts: ReadonlyMap<string, Attempt>): StrategyReport {
  const verdicts = profile.strategies.map(({ name }): StrategyVerdict => {
    const attempt = attempts.get(name);
    if (attempt === undefined) return { strategy: name, outcome: 'not-tried', reasons: [] };
    const outcome = attempt.loaded === undefined ? 'rejected' : 'chosen';
    const refused = refusedOf(attempt.error);
    return { strategy: name, outcome, reasons: attempt.reasons, ...(refused && { refused }) };
  });
  const chosen = verdicts.find(({ outcome }) => outcome === 'chosen')?.strategy;
  const parts = attempts.get(chosen ?? '')?.parts ?? untriedParts(profile);
  return { plugin: profile.plugin, chosen, verdicts, parts };
}

function nothingWorks(
  { profile, kernel, strategy }: BpfLoaderOptions,
  attempts: ReadonlyMap<string, Attempt>,
): MemWatcherError {
  const errors = [...attempts.values()].map(({ error }) => error);
  const thrown = errors.filter((error) => error !== undefined);
  const [denied] = thrown;
  if (denied instanceof MemWatcherError && thrown.every(isDenied)) return denied;
  const which = strategy === 'auto' ? 'no strategy' : `strategy ${strategy}`;
  const verb = strategy === 'auto' ? 'works' : 'does not work';
  const because = obstacle(thrown);
  return new MemWatcherError(
    'NO_STRATEGY',
    `${which} of ${profile.plugin} ${verb} on this kernel (${kernel.release})${because}`,
    {
      detail: [...attempts]
        .map(([name, { reasons }]) => `${name}: ${reasons.join('; ')}`)
        .join('\n'),
      hint: `mem-watcher doctor says more; config/kernel/${profile.plugin}.yaml has the strategies`,
    },
  );
}

/** What the kernel refused to the best strategy that it has the facts for, and how to allow it. */
function obstacle(thrown: readonly unknown[]): string {
  const first = thrown.find((error) => refusedOf(error) !== undefined);
  if (!(first instanceof MemWatcherError)) return firstCause(thrown);
  const allow = first.hint === undefined ? '' : `; ${first.hint}`;
  return `: the kernel refused ${first.refused}${allow}`;
}

/** What the best strategy that was tried failed with, and the verifier's last word on it. */
function firstCause([first]: readonly unknown[]): string {
  if (first === undefined) return '';
  const detail = first instanceof MemWatcherError ? (first.detail ?? '') : '';
  const last = detail.trim().split('\n').at(-1);
  return `: ${describeError(first)}${last ? `: ${last}` : ''}`;
}

const isDenied = (error: unknown) =>
  error instanceof MemWatcherError && error.code === 'PERMISSION_DENIED';
