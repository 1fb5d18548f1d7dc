/** What a hunt came to: its exit code, and what its reader should know of it. */
import { ExitCode } from '../../../core/cli/context.js';
import { harmless } from '../../../core/cli/text.js';
import type { LeakSnapshot, Target } from '../model.js';
import type { Plan } from './options.js';
import { formatAge } from './units.js';

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
  const notes = [...endNotes(plan, by, elapsed), ...targetNotes(plan, targets, said)];
  if (targets.length === 0) {
    return { code: ExitCode.failure, notes: [...notes, 'no process was there to be watched'] };
  }
  if (targets.every(isUnseen)) return { code: ExitCode.failure, notes };
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
