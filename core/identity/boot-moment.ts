import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { measureBoot } from './boot-clock.js';

/** ms by which the clock may have been set since the boot was first recorded. */
const TOLERANCE = 2000;

export interface BootRecordOptions {
  /** Gone after a reboot. */
  readonly folder?: string;
  readonly bootId?: () => string;
  readonly measure?: () => number;
}

/**
 * When the host booted, Unix ms: one figure for every agent from boot to boot, so that a process has
 * one start time whoever asks and whenever. The first agent records it under /run; later ones take
 * the record as long as it is near what the clock says. Where no file can be written, each agent has
 * its own measurement.
 */
export function readBootMoment({
  folder = process.env.RUNTIME_DIRECTORY ?? '/run/mem-watcher',
  bootId = () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
  measure = measureBoot,
}: BootRecordOptions = {}): number {
  const measured = measure();
  const file = join(folder, 'boot');
  try {
    const id = bootId();
    const recorded = recordedMoment(file, id);
    if (recorded !== undefined && Math.abs(recorded - measured) <= TOLERANCE) return recorded;
    if (!existsSync(folder)) mkdirSync(folder);
    const fresh = `${file}.${process.pid}`;
    writeFileSync(fresh, `${id} ${measured}\n`);
    renameSync(fresh, file);
  } catch {
    // It is for the next agent only.
  }
  return measured;
}

function recordedMoment(file: string, id: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
  const [, recordedId, digits] = /^(\S+) (\d+)\n$/.exec(text) ?? [];
  return recordedId === id ? Number(digits) : undefined;
}

let moment: number | undefined;

/** The same as long as this process lives: a clock that is set does not move the start of processes. */
export function bootMoment(): number {
  moment ??= readBootMoment();
  return moment;
}

/** ms by which the monotonic clock may be off: by more, the host was suspended meanwhile. */
const STRAYED = 20;
let offset: number | undefined;

/**
 * The time by a clock that nobody sets, Unix ms: CLOCK_BOOTTIME since the boot. It is what starts of
 * processes are told by, so starts of counters are too: whether one began before a look does not depend
 * on the clock on the wall, which may have been set in between. The system tells it to 10 ms; between two
 * calls it is exact to 1 ms.
 */
export function steadyNow(): number {
  const monotonic = performance.now();
  const measured = uptime() * 1000 - monotonic;
  if (offset === undefined || Math.abs(measured - offset) > STRAYED) offset = measured;
  return Math.round(bootMoment() + monotonic + offset);
}

/** To the second below, as ps and other agents have it: for `process.creation.time`. */
export const bootSecond = (): number => Math.floor(bootMoment() / 1000) * 1000;
