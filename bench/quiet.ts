/** Figures of a busy machine are figures of its neighbours too: said beside them. */
import { loadavg } from 'node:os';

const QUIET = 1.5;

export function loadNote(): string | undefined {
  const [load = 0] = loadavg();
  return load > QUIET ? `provisional: load ${load.toFixed(1)} as it began` : undefined;
}
