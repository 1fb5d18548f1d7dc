/**
 * From a profile to a plugin that sees: each strategy in order of preference is asked for its
 * facts, loaded and attached; the first that works is taken. The kernel is the final judge, since
 * facts can hold where the verifier or a security policy still refuses.
 */
import type {
  BpfHost,
  BpfLink,
  BpfLoader,
  BpfObject,
  LoadedBpf,
  LoadOptions,
} from '../bpf/host.js';
import { nearest } from '../config/nearest.js';
import { describeError, type ErrorCode, MemWatcherError, NotSupported } from '../errors.js';
import type { Logger } from '../logger.js';
import type { Kernel, KernelProfile, Strategy, StrategyReport, StrategyVerdict } from './kernel.js';
import { permissionShortage } from './permission.js';

export interface BpfLoaderOptions {
  readonly host: BpfHost;
  readonly kernel: Kernel;
  readonly profile: KernelProfile;
  /** The plugin's compiled BPF object. */
  readonly objectFile: string;
  /** `auto`, or the name of the only strategy to try. */
  readonly strategy: string;
  readonly logger: Logger;
  /** Called once a `load`, whether it succeeded or not. */
  readonly onReport?: (report: StrategyReport) => void;
  /** Kernel BTF for kernels without their own. */
  readonly btfFile?: string | undefined;
}

export function createBpfLoader(options: BpfLoaderOptions): BpfLoader {
  return { load: (loadOptions) => load(options, loadOptions ?? {}) };
}

/**
 * What the facts alone say of every strategy, without loading anything: rejected with the reasons,
 * or not tried.
 */
export function explain(kernel: Kernel, profile: KernelProfile): StrategyReport {
  const verdicts = profile.strategies.map((strategy): StrategyVerdict => {
    const reasons = missingFacts(kernel, strategy);
    const outcome = reasons.length > 0 ? 'rejected' : 'not-tried';
    return { strategy: strategy.name, outcome, reasons };
  });
  return { plugin: profile.plugin, chosen: undefined, verdicts };
}

function load(options: BpfLoaderOptions, loadOptions: LoadOptions): LoadedBpf {
  const { profile, kernel, logger } = options;
  const attempts = new Map<string, Attempt>();
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
    return { loaded: loadStrategy(options, strategy, loadOptions), reasons };
  } catch (error) {
    if (isOurMistake(error)) throw error;
    return { reasons: [reasonOf(error)], error };
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

function missingFacts(kernel: Kernel, { needs = [], constants = {} }: Strategy): string[] {
  // A constant often rests on the very fact that the strategy needs: it is said once.
  const missing = new Set<string>();
  for (const fact of needs) {
    const result = kernel.check(fact);
    if (!result.holds) missing.add(`lacks ${result.missing}`);
  }
  for (const parameter of Object.values(constants)) {
    try {
      kernel.resolve(parameter);
    } catch (error) {
      if (!(error instanceof NotSupported)) throw error;
      missing.add(`lacks ${error.fact}`);
    }
  }
  return [...missing];
}

/** Loads and attaches, or closes whatever it opened and throws. */
function loadStrategy(
  { host, kernel, objectFile, logger, btfFile }: BpfLoaderOptions,
  strategy: Strategy,
  { constants = {}, maxEntries = {}, verify }: LoadOptions,
): LoadedBpf {
  const object = host.open(objectFile, {
    // What a refused strategy has to say is in its reasons; it is no warning of its own. And what
    // libbpf calls debug is a thousand lines a load.
    log: (level, text) => {
      if (level !== 'debug') logger.debug({ strategy: strategy.name }, text);
    },
    ...(btfFile === undefined ? {} : { btfFile }),
  });
  const links = new Map<string, BpfLink>();
  const close = () => closeAll(object, links);
  const loaded: LoadedBpf = {
    strategy: strategy.name,
    programs: strategy.programs,
    object,
    links,
    parts: new Map(),
    lacks: [],
    close,
  };
  try {
    for (const [name, parameter] of Object.entries(strategy.constants ?? {})) {
      object.setConstant(name, kernel.resolve(parameter));
    }
    for (const [name, value] of Object.entries(constants)) object.setConstant(name, value);
    for (const [map, entries] of Object.entries(maxEntries)) object.setMaxEntries(map, entries);
    object.selectPrograms(strategy.programs);
    for (const [program, hook] of Object.entries(strategy.hooks ?? {})) {
      object.setHook(program, hook);
    }
    object.omitMaps(strategy.omit_maps ?? []);
    object.load();
    for (const program of strategy.attach ?? strategy.programs) {
      links.set(program, object.attach(program));
    }
    verify?.(loaded);
  } catch (error) {
    try {
      close();
    } catch (closing) {
      // The reason why it was refused matters more, and must not be lost to this.
      logger.warn({ error: describeError(closing) }, 'closing a refused strategy failed');
    }
    throw error;
  }
  return loaded;
}

function closeAll(object: BpfObject, links: Map<string, BpfLink>): void {
  const errors: unknown[] = [];
  for (const closable of [...[...links.values()].reverse(), object]) {
    try {
      void closable.close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, 'closing a BPF object failed');
}

/** What stands in the way of every strategy alike, so that it is said once. */
function obstacleToAll(kernel: Kernel): MemWatcherError | undefined {
  const shortage = permissionShortage(kernel);
  if (shortage !== undefined || kernel.btfPath !== undefined) return shortage;
  return new NotSupported('BTF', {
    hint: 'it was built without CONFIG_DEBUG_INFO_BTF; give its BTF with --btf FILE or kernel.btf',
  });
}

const OUR_MISTAKES: readonly ErrorCode[] = [
  'BPF_LIBRARY_MISSING',
  'BPF_OPEN_FAILED',
  'CONFIG_INVALID',
  'INTERNAL',
  'LAYOUT_INVALID',
  'SCOPE_CLOSED',
];

/** Errors that no other strategy and no other kernel would mend. */
function isOurMistake(error: unknown): boolean {
  return !(error instanceof MemWatcherError) || OUR_MISTAKES.includes(error.code);
}

/** Lines of the verifier that a reason quotes: the last say why, those before say where. */
const EVIDENCE_LINES = 4;

function reasonOf(error: unknown): string {
  const evidence = error instanceof MemWatcherError ? (error.detail ?? '') : '';
  const lines = evidence.split('\n').filter((line) => line.trim() !== '');
  return [describeError(error), ...lines.slice(-EVIDENCE_LINES)].join('\n');
}

function reportOf(profile: KernelProfile, attempts: ReadonlyMap<string, Attempt>): StrategyReport {
  const verdicts = profile.strategies.map(({ name }): StrategyVerdict => {
    const attempt = attempts.get(name);
    if (attempt === undefined) return { strategy: name, outcome: 'not-tried', reasons: [] };
    const outcome = attempt.loaded === undefined ? 'rejected' : 'chosen';
    return { strategy: name, outcome, reasons: attempt.reasons };
  });
  const chosen = verdicts.find(({ outcome }) => outcome === 'chosen')?.strategy;
  return { plugin: profile.plugin, chosen, verdicts };
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
  return new MemWatcherError(
    'NO_STRATEGY',
    `${which} of ${profile.plugin} ${verb} on this kernel (${kernel.release})`,
    {
      detail: [...attempts]
        .map(([name, { reasons }]) => `${name}: ${reasons.join('; ')}`)
        .join('\n'),
      hint: `mem-watcher doctor says more; config/kernel/${profile.plugin}.yaml has the strategies`,
    },
  );
}

const isDenied = (error: unknown) =>
  error instanceof MemWatcherError && error.code === 'PERMISSION_DENIED';
