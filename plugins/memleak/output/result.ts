/** What a hunt came to: its exit code, and what its reader should know of it. */
import { ExitCode } from '../../../core/cli/context.js';
import { harmless } from '../../../core/cli/text.js';
import { JUDGE_DEFAULTS } from '../judge/options.js';
import type { LeakSnapshot, Target } from '../model.js';
import type { Plan } from './options.js';
import { partlyNamedNotes } from './partly-named.js';
import { unexplainedOf } from './unexplained.js';
import { formatAge, formatSize } from './units.js';

/** `gone`: every process that was asked for has ended; `refused`: none of them can be followed. */
export type End = 'done' | 'interrupted' | 'gone' | 'refused';

export interface Result {
  readonly code: number;
  /** For stderr, a line each. */
  readonly notes: readonly string[];
}

interface Ended {
  readonly by: End;
  /** ms */
  readonly elapsed: number;
  readonly snapshot: LeakSnapshot | undefined;
  /** What the plugin's status said last: it need not be said again. */
  readonly said: string | undefined;
}

export function resultOf(plan: Plan, { by, elapsed, snapshot, said }: Ended): Result {
  const targets = snapshot?.targets ?? [];
  const notes = [
    ...endNotes(plan, by, elapsed),
    ...targetNotes(plan, targets, said),
    ...samplingNotes(plan, snapshot),
    ...pausedNotes(targets),
    ...scanNotes(targets),
    ...partlyNamedNotes(snapshot?.stacks ?? []),
    ...targets.flatMap((target) => harmless(unexplainedOf(target) ?? '') || []),
  ];
  if (targets.length === 0) {
    return { code: ExitCode.failure, notes: [...notes, 'no process was there to be watched'] };
  }
  if (targets.every(isUnseen) || targets.some(({ paused }) => paused)) {
    return { code: ExitCode.failure, notes };
  }
  const confirmed = snapshot?.states.some(({ state, count }) => state === 'confirmed' && count > 0);
  return { code: confirmed ? plan.leakCode : ExitCode.ok, notes };
}

/** It cannot be watched, and nothing of it was seen. */
const isUnseen = ({ reason, coverage }: Target) => reason !== undefined && coverage.recorded === 0;

function endNotes({ duration }: Plan, by: End, elapsed: number): string[] {
  const time = formatAge(Math.floor(elapsed / 1000));
  const planned = Number.isFinite(duration) ? ` of ${formatAge(duration / 1000)}` : '';
  if (by === 'gone') {
    return [`the target ended after ${time}${planned}: the report is of when it was last seen`];
  }
  const isShort = by === 'interrupted' && Number.isFinite(duration);
  return isShort
    ? [`interrupted after ${time}${planned}: the report is of what was seen until then`]
    : [];
}

/** Samples were too few for a verdict of what holds the most: how to get more. */
function samplingNotes({ sampling, duration }: Plan, snapshot: LeakSnapshot | undefined): string[] {
  const interval = Math.max(
    0,
    ...(snapshot?.targets ?? []).map(({ coverage }) => coverage.samplingInterval),
  );
  const open = (snapshot?.stacks ?? []).filter(
    ({ judgement, reading }) =>
      reading.bytesError > 0 &&
      judgement.class === undefined &&
      judgement.coverage < JUDGE_DEFAULTS.minCoverage,
  );
  const bytes = open.reduce((sum, { reading }) => sum + reading.bytes, 0);
  const all = (snapshot?.targets ?? []).reduce((sum, target) => sum + target.bytes, 0);
  if (interval === 0 || bytes < WORTH_A_NOTE * all) return [];
  const longer = Number.isFinite(duration) ? ', or a longer --duration' : '';
  const finer = sampling === undefined ? '--sampling full' : 'a finer --sampling';
  return [
    `no verdict of ${formatSize(bytes)} in ${open.length} ${open.length === 1 ? 'stack' : 'stacks'}: ` +
      `one sample in ${formatSize(interval)} shows too little of them; try ${finer}, which costs the target more${longer}`,
  ];
}

/** Share of all that is outstanding. */
const WORTH_A_NOTE = 0.1;

/** Who is paused for its cost: its figures are of before. */
const pausedNotes = (targets: readonly Target[]): string[] =>
  targets.flatMap(({ source, comm, paused }) =>
    paused && source.kind === 'process'
      ? [
          harmless(
            `${comm} (${source.pid}) is paused, as tracing it costs more than \`budget\` or \`limit\` allows: its figures are of before; --sampling full has neither`,
          ),
        ]
      : [],
  );

/** Of whom it is not known what is still referenced, and why. */
const scanNotes = (targets: readonly Target[]): string[] =>
  targets.flatMap(({ source, comm, scan }) => {
    if (source.kind !== 'process' || scan === undefined) return [];
    const { refusal, pausedMs } = scan;
    const name = harmless(`${comm} (${source.pid})`);
    return [
      ...(pausedMs === undefined ? [] : [`${name} was held still for ${Math.ceil(pausedMs)} ms`]),
      ...(refusal === undefined
        ? []
        : [`${name}: whether it can still reach what it holds is not known: ${harmless(refusal)}`]),
    ];
  });

/** What the table says in its footers, for who reads another format. */
function targetNotes({ format }: Plan, targets: readonly Target[], said = ''): string[] {
  if (format === 'table') return [];
  const reasons = targets.flatMap(({ source, comm, reason }) =>
    reason === undefined || said.includes(reason)
      ? []
      : [harmless(`${source.kind === 'kernel' ? 'kernel' : `${comm} (${source.pid})`}: ${reason}`)],
  );
  const silent = targets.some(
    ({ reason, coverage }) => reason === undefined && coverage.recorded === 0,
  );
  const nothing = silent && targets.every(({ coverage }) => coverage.recorded === 0);
  return [...reasons, ...(nothing ? ['nothing was allocated while watched'] : [])];
}
