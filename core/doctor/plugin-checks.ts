import { describeError, MemWatcherError } from '../errors.js';
import type {
  Kernel,
  KernelProfile,
  Strategy,
  StrategyReport,
  StrategyVerdict,
} from '../kernel/kernel.js';
import { explain } from '../kernel/loader.js';
import type { PluginStatus } from '../plugin.js';
import { lacksText } from '../status.js';
import type { Check } from './check.js';

/** What a plugin's start came to, what was tried on the way, and what the other strategies lack. */
export function startedCheck(
  status: PluginStatus,
  kernel: Kernel,
  profile: KernelProfile,
  report: StrategyReport | undefined,
  wanted = 'auto',
): Check {
  const { plugin, state, strategy, reason, lacks } = status;
  // A plugin that found no strategy has no more to say than the strategies' own reasons.
  const isRejected = report?.chosen === undefined && report?.verdicts.some(wasTried) === true;
  const words = reason === undefined || isRejected ? [] : [reason];
  const without = (state: string) => (isRejected ? nothingWorks(wanted, report) : state);
  const lacking = lacksText(lacks);
  if (lacking !== undefined) words.push(lacking);
  const parts = report?.chosen === undefined ? [] : report.parts;
  return {
    check: `plugin.${plugin}`,
    status: state === 'ok' ? 'ok' : state === 'degraded' ? 'warn' : 'fail',
    value: strategy === undefined ? without(state) : inUse(strategy, report?.verdicts),
    detail: [
      ...words,
      ...strategyLines(kernel, profile, report),
      ...partLines(kernel, profile, report),
    ].join('\n'),
    ...(lacks.length > 0 && { lacks }),
    ...(parts.length > 0 && {
      parts: Object.fromEntries(parts.map(({ part, chosen = null }) => [part, chosen])),
    }),
  };
}

/** Of an object besides a plugin's own: what became of it, or what the facts say of it. */
export function objectCheck(
  kernel: Kernel,
  profile: KernelProfile,
  report: StrategyReport | undefined,
): Check {
  if (report === undefined) return explainedCheck(kernel, profile, 'auto', 'not loaded so far');
  const { chosen, parts } = report;
  return {
    check: `plugin.${profile.plugin}`,
    status: chosen === undefined ? 'fail' : 'ok',
    value: chosen === undefined ? nothingWorks('auto', report) : inUse(chosen, report.verdicts),
    detail: [...strategyLines(kernel, profile, report), ...partLines(kernel, profile, report)].join(
      '\n',
    ),
    ...(chosen !== undefined &&
      parts.length > 0 && {
        parts: Object.fromEntries(parts.map(({ part, chosen: by = null }) => [part, by])),
      }),
  };
}

/**
 * What the facts alone say: nothing is loaded, for the reason `why`. `wanted` is `auto`, or the
 * strategy configured.
 */
export function explainedCheck(
  kernel: Kernel,
  profile: KernelProfile,
  wanted: string,
  why: string,
): Check {
  const check = `plugin.${profile.plugin}`;
  const detail = [
    ...strategyLines(kernel, profile, undefined),
    ...partLines(kernel, profile, undefined),
  ].join('\n');
  const possible = explain(kernel, profile).verdicts.find(({ strategy, outcome }) => {
    const manual = strategyOf(profile, strategy)?.manual === true;
    return outcome === 'not-tried' && (wanted === 'auto' ? !manual : strategy === wanted);
  });
  if (possible === undefined) return { check, status: 'fail', value: nothingWorks(wanted), detail };
  const value = `${possible.strategy}, by its facts: ${why}`;
  return { check, status: 'skip', value, detail };
}

/** A plugin that could not even be asked: its profile, or the kernel as a whole, is wrong. */
export function failedCheck(plugin: string, error: unknown): Check {
  const known = error instanceof MemWatcherError ? error : undefined;
  const detail = [describeError(error), known?.detail].filter((text) => text).join('\n');
  return { check: `plugin.${plugin}`, status: 'fail', value: 'failed', detail, hint: known?.hint };
}

function nothingWorks(wanted: string, report?: StrategyReport): string {
  const refused = report?.verdicts.find((verdict) => verdict.refused !== undefined)?.refused;
  const because = refused === undefined ? '' : `: the kernel refused ${refused}`;
  return wanted === 'auto'
    ? `no strategy works${because}`
    : `${wanted}, which is configured, does not work${because}`;
}

/** The way in use, and what it stands in for because the kernel refused that. */
function inUse(chosen: string, verdicts: readonly StrategyVerdict[] = []): string {
  const [first, ...others] = verdicts.filter(({ refused }) => refused !== undefined);
  if (first === undefined) return chosen;
  const same = others.filter(({ refused }) => refused === first.refused);
  const instead = [first, ...same].map(({ strategy }) => strategy).join(', ');
  return `${chosen} instead of ${instead}: the kernel refused ${first.refused}`;
}

/** One strategy a line, in order of preference. */
function strategyLines(
  kernel: Kernel,
  profile: KernelProfile,
  report: StrategyReport | undefined,
): string[] {
  return explain(kernel, profile).verdicts.map((facts) => {
    const { strategy: name } = facts;
    const strategy = strategyOf(profile, name);
    const tried = report?.verdicts.find(
      (verdict) => verdict.strategy === name && wasTried(verdict),
    );
    const { outcome, reasons } = tried ?? facts;
    if (outcome === 'rejected') return rejection(name, reasons);
    const standing =
      outcome === 'chosen' ? 'chosen' : strategy?.manual ? 'only by name' : 'possible';
    return `${name}: ${standing}; ${strategy?.summary ?? ''}`;
  });
}

/** One part a line, and below it the choices that were passed over. */
function partLines(
  kernel: Kernel,
  { plugin, strategies, parts = [] }: KernelProfile,
  report: StrategyReport | undefined,
): string[] {
  const started = report?.chosen !== undefined;
  const reports = started ? report.parts : explain(kernel, { plugin, strategies, parts }).parts;
  return parts.flatMap(({ name, summary, lacks, choices }) => {
    const { chosen, verdicts = [] } = reports.find(({ part }) => part === name) ?? {};
    const open = verdicts.find(({ outcome }) => outcome === 'not-tried')?.strategy;
    const passed = verdicts.filter(({ outcome }) => outcome === 'rejected');
    const standing = chosen
      ? `by ${inUse(chosen, verdicts)}; ${summary}`
      : passed.length === choices.length
        ? `${whyNone(verdicts)}; without it: ${lacks.join(', ')}`
        : started
          ? `not asked for; ${summary}`
          : `${open} possible; ${summary}`;
    const rejections = passed.map(({ strategy, reasons }) => rejection(strategy, reasons));
    const indented = rejections.flatMap((text) => text.split('\n')).map((line) => `    ${line}`);
    return [`part ${name}: ${standing}`, ...indented];
  });
}

/** Why a part is in use in none of its ways. */
function whyNone(verdicts: readonly StrategyVerdict[]): string {
  const refused = verdicts.find((verdict) => verdict.refused !== undefined)?.refused;
  return refused === undefined ? 'not on this kernel' : `the kernel refused ${refused}`;
}

const rejection = (name: string, reasons: readonly string[]) =>
  `${name}: ${reasons.join('; ').replaceAll('\n', '\n    ')}`;

const wasTried = ({ outcome }: { readonly outcome: string }) => outcome !== 'not-tried';

const strategyOf = (profile: KernelProfile, wanted: string): Strategy | undefined =>
  profile.strategies.find(({ name }) => name === wanted);
