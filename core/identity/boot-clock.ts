import { readFileSync } from 'node:fs';

/**
 * When the host booted by the clock as it is now, Unix ms: exact to the 10 ms of /proc/uptime, late
 * rather than early. For what is compared with the clock; to tell a process from others, `bootTime`
 * is the one that stays the same.
 */
export function bootTimeByClock(
  uptime: () => string = () => readFileSync('/proc/uptime', 'utf8'),
  clock: () => number = Date.now,
): number {
  const seconds = Number.parseFloat(uptime());
  return clock() - Math.floor(seconds * 1000);
}
