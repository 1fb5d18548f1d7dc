import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { bootTime } from './host.js';

/** What /proc says of the clocks; tests have their own. */
export interface BootSources {
  /** The beginning of /proc/timer_list, at least the clocks of one CPU; undefined if not readable. */
  readonly timers: () => string | undefined;
  /** /proc/uptime */
  readonly uptime: () => string;
  /** Unix ms. */
  readonly clock: () => number;
  /** Unix ms, to the second below: `btime` of /proc/stat. */
  readonly btime: () => number;
}

const TIMERS_BYTES = 4 * 1024 * 1024;
const CHUNK = 64 * 1024;
/** enum hrtimer_base_type */
const REALTIME = 1;
const BOOTTIME = 2;

const live: BootSources = {
  timers: beginningOfTimers,
  uptime: () => readFileSync('/proc/uptime', 'utf8'),
  clock: Date.now,
  btime: bootTime,
};

/**
 * When the host booted by the clock as it is now, Unix ms: what is added to CLOCK_BOOTTIME to have
 * CLOCK_REALTIME. The kernel's own figure where this user may read it, so that every measurement
 * is the same as long as nobody sets the clock; else measured to some milliseconds.
 */
export function measureBoot(sources: BootSources = live): number {
  const text = sources.timers();
  const offset = (index: number) => {
    const pattern = new RegExp(`\\.index: +${index}\\n(?:.*\\n)?? *\\.offset: +(\\d+) nsecs`);
    const digits = text === undefined ? undefined : pattern.exec(text)?.[1];
    return digits === undefined ? undefined : BigInt(digits);
  };
  const [real, boot] = [offset(REALTIME), offset(BOOTTIME)];
  if (real !== undefined && boot !== undefined) return Number((real - boot) / 1_000_000n);
  return measureByTick(sources);
}

/** /proc/uptime leaves hundredths of a second away: it is right at the moment when one begins. */
function measureByTick({ uptime, clock, btime }: BootSources): number {
  const first = uptime();
  let now = first;
  // A clock that stands still must not hang the agent.
  for (let tries = 0; now.split(' ')[0] === first.split(' ')[0] && tries < 100_000; tries++) {
    now = uptime();
  }
  const measured = clock() - Math.round(Number.parseFloat(now) * 1000);
  const second = btime();
  return Math.min(Math.max(measured, second), second + 999);
}

/** Of thousands of timers only the first CPU's clocks are of interest. */
function beginningOfTimers(): string | undefined {
  let fd: number;
  try {
    fd = openSync('/proc/timer_list', 'r');
  } catch {
    return undefined;
  }
  try {
    const chunk = Buffer.alloc(CHUNK);
    let text = '';
    while (text.length < TIMERS_BYTES && !/\.index: +3\n/.test(text)) {
      const length = readSync(fd, chunk);
      if (length === 0) break;
      text += chunk.toString('latin1', 0, length);
    }
    return text;
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}
