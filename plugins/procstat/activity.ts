import type { Activity, Process } from './process.js';

const noActivity = (): Activity => ({
  voluntarySwitches: 0,
  involuntarySwitches: 0,
  minorFaults: 0,
  majorFaults: 0,
});

const risen = (now: number, before = 0) => (now > before ? now - before : 0);

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
  #last = new Map<number, Process>();
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
    this.#last = new Map();
    for (const process of processes) this.#last.set(process.pid, process);
    this.#lastPass = now;
    this.#series = this.#shown;
    this.#shown = new Map();
  }
}
