/** How far a hunt has come, in one line. */
import type { LeakSnapshot } from '../model.js';
import type { Plan } from './options.js';
import { formatAge, formatMany } from './units.js';

/** `42 s of 60 s, window 5 s, 1.2 M allocations, 3 stacks suspected` */
export function progressText(
  { duration, window }: Pick<Plan, 'duration' | 'window'>,
  elapsed: number,
  snapshot: LeakSnapshot | undefined,
): string {
  const time = Number.isFinite(duration)
    ? `${seconds(Math.min(elapsed, duration))} of ${seconds(duration)}`
    : seconds(elapsed);
  return [time, `window ${formatWindow(window)}`, ...figures(snapshot)].join(', ');
}

function figures(snapshot: LeakSnapshot | undefined): string[] {
  if (!snapshot) return ['nothing read yet'];
  const recorded = snapshot.targets.reduce((sum, { coverage }) => sum + coverage.recorded, 0);
  const of = (state: string) =>
    snapshot.states.reduce((sum, one) => sum + (one.state === state ? one.count : 0), 0);
  const [suspected, confirmed] = [of('suspected'), of('confirmed')];
  return [
    recorded === 1 ? '1 allocation' : `${formatMany(recorded)} allocations`,
    `${suspected} ${suspected === 1 ? 'stack' : 'stacks'} suspected`,
    ...(confirmed > 0 ? [`${confirmed} confirmed`] : []),
  ];
}

const seconds = (ms: number) =>
  ms < 120_000 ? `${Math.floor(ms / 1000)} s` : formatAge(ms / 1000);

const formatWindow = (ms: number) =>
  ms < 120_000 ? `${Number((ms / 1000).toFixed(1))} s` : formatAge(ms / 1000);
