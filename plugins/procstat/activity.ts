import type { Activity, Process } from './process.js';

const noActivity = (): Activity => ({
  voluntarySwitches: 0,
  involuntarySwitches: 0,
  minorFaults: 0,
  majorFaults: 0,
});

const risen = (now: number, before = 0) => (now > before ? now - before : 0);

/** What a process had done when it was last seen. */
interface Last extends Activity {
  readonly pid: number;
  startNs: number;
  pass: number;
}

export interface SeriesCounters {
  /** Unix ms: when the series began to count. */
  readonly startTime: number;
  readonly total: Activity;
}

/**
 * Counters of series that stand for several processes. A plain sum over the members would fall when
 * one of them exits or moves to another series, and a counter must not fall: so each series adds
 * what its members did since they were last seen.
 *
 * A process that was there before the agent adds nothing at first sight, one that began later all
 * that it did.
 */
export class SeriesActivity {
  /** By pid; kept from pass to pass, for there are thousands. */
  readonly #last = new Map<number, Last>();
  #pass = 0;
  #lastPass: number;
  #series = new Map<string, SeriesCounters>();
  #shown = new Map<string, SeriesCounters>();

  /** @param since Unix ms; processes older than this are not new. */
  constructor(private readonly since: number) {
    this.#lastPass = since;
  }

  /** Adds what `members` did to the series `key`, and gives its counters. Once a series and pass. */
  add(key: string, members: readonly Process[]): SeriesCounters {
    const known = this.#series.get(key);
    const startTime = known?.startTime ?? this.#lastPass;
    const total = { ...(known?.total ?? noActivity()) };
    for (const process of members) {
      const last = this.#last.get(process.pid);
      const before = last?.startNs === process.startNs ? last : undefined;
      if (!before && process.startTime < this.since) continue;
      const { voluntarySwitches, involuntarySwitches, minorFaults, majorFaults } = process;
      total.voluntarySwitches += risen(voluntarySwitches, before?.voluntarySwitches);
      total.involuntarySwitches += risen(involuntarySwitches, before?.involuntarySwitches);
      total.minorFaults += risen(minorFaults, before?.minorFaults);
      total.majorFaults += risen(majorFaults, before?.majorFaults);
    }
    const counters = { startTime, total };
    this.#shown.set(key, counters);
    return counters;
  }

  /** Ends a pass over all of `processes`; series that were not asked for begin anew next time. */
  finish(processes: readonly Process[], now: number): void {
    this.#pass++;
    for (const process of processes) this.#remember(process);
    if (this.#last.size > processes.length) this.#forget();
    this.#lastPass = now;
    this.#series = this.#shown;
    this.#shown = new Map();
  }

  #remember(process: Process): void {
    let last = this.#last.get(process.pid);
    if (!last) {
      last = { pid: process.pid, startNs: 0, pass: 0, ...noActivity() };
      this.#last.set(process.pid, last);
    }
    last.startNs = process.startNs;
    last.pass = this.#pass;
    last.voluntarySwitches = process.voluntarySwitches;
    last.involuntarySwitches = process.involuntarySwitches;
    last.minorFaults = process.minorFaults;
    last.majorFaults = process.majorFaults;
  }

  /** Drops those that the last pass has not seen. */
  #forget(): void {
    for (const { pid, pass } of this.#last.values()) {
      if (pass !== this.#pass) this.#last.delete(pid);
    }
  }
}
