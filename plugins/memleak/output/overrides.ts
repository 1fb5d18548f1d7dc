/** What the command line lays over the configuration of the agent. */
import type { CliContext } from '../../../core/cli/context.js';
import type { Override } from '../../../core/config/load.js';
import { JUDGE_DEFAULTS } from '../judge/options.js';
import { metadata } from '../metadata.js';
import { type Plan, shownOf } from './options.js';

/** Stacks that have names where all are wanted: as many as the plugin takes. */
const ALL = 1000;

/** Who hunts a leak waits for a machine on which loading takes its time, as the fleet's agent would not. */
const PATIENT = { start_timeout: '60s', collect_timeout: '60s', shutdown_timeout: '60s' };

/** What the configuration has of it, as far as it is asked for. */
export interface Given {
  readonly scan: { readonly when: string };
}

/** This plugin alone, on these targets, with windows of this run. */
export function overridesOf(
  plan: Plan,
  { plugins }: Pick<CliContext, 'plugins'>,
  given?: Given,
): Override[] {
  const { name } = metadata;
  const others = plugins.map(({ metadata: other }) => [
    other.name,
    { enabled: other.name === name },
  ]);
  const own = (origin: string, value: Readonly<Record<string, unknown>>): Override => ({
    origin,
    value: { plugins: { [name]: value } },
  });
  return [
    {
      origin: 'leaks',
      value: { ...PATIENT, plugins: Object.fromEntries(others) },
    },
    { origin: '--window', value: { interval: `${plan.collect}ms` } },
    own('--window', { judging: judgingOf(plan), scan: scanOf(plan, given) }),
    own('--top', { top: Math.min(ALL, shownOf(plan) ?? ALL) }),
    ...(plan.targets.length > 0 || plan.kernel
      ? [own('the choice of targets', { targets: plan.targets, kernel: kernelOf(plan) })]
      : []),
    ...(plan.sampling === undefined ? [] : [own('--sampling', samplingOf(plan.sampling))]),
    ...(plan.strategy === undefined ? [] : [own('--strategy', { strategy: plan.strategy })]),
    ...(plan.btf === undefined ? [] : [{ origin: '--btf', value: { kernel: { btf: plan.btf } } }]),
  ];
}

/** As many horizons as the run is long: the coarsest has all of it. */
function judgingOf({ window, duration }: Plan): { window: string; horizons?: number } {
  const finest = HORIZON * window;
  if (!(Number.isFinite(duration) && duration > finest)) return { window: `${window}ms` };
  const enough = 1 + Math.ceil(Math.log(duration / finest) / Math.log(TIMES));
  const { horizons } = JUDGE_DEFAULTS;
  return { window: `${window}ms`, horizons: Math.min(MOST_HORIZONS, Math.max(horizons, enough)) };
}

/** Windows of a horizon; each is so many times the one before. */
const HORIZON = 12;
const TIMES = 4;
const MOST_HORIZONS = 8;

/**
 * Who hunts a leak wants to know at once, and some scans in a run: as many as the judge may ask for. Who
 * has configured that there are none has to ask for one (`--scan`).
 */
const scanOf = ({ window, closerLook }: Plan, given: Given | undefined) => ({
  ...(closerLook === 'paused' && { pause: true }),
  when: given?.scan.when === 'never' && closerLook === 'none' ? 'never' : 'always',
  every: `${Math.round(Math.min(30_000, Math.max(2000, window)))}ms`,
  share: 0.1,
});

/** Who asks for every allocation gets every one, whatever it costs. */
const samplingOf = (sampling: string) =>
  sampling === 'full' ? { sampling, budget: 0, limit: 0 } : { sampling };

const kernelOf = ({ kernel, window }: Plan) =>
  kernel ? { enabled: true, window: `${window}ms` } : { enabled: false };
