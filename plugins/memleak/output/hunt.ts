/** One run of `mem-watcher leaks`: watches, shows, and writes the last report. */
import type { CliAgent, CliContext } from '../../../core/cli/context.js';
import { eventRecord, jsonLine } from '../../../core/cli/json.js';
import { failure, pause, statusOf } from '../../../core/cli/live.js';
import { styleFor } from '../../../core/cli/style.js';
import type { PluginStatus } from '../../../core/plugin.js';
import type { EventRecord } from '../../../core/telemetry/events.js';
import { metadata } from '../metadata.js';
import type { LeakSnapshot } from '../model.js';
import type { Alive } from './alive.js';
import type { Destination } from './destination.js';
import { displayFor, type Progress } from './display.js';
import { render } from './formats.js';
import { type Plan, shownOf } from './options.js';
import { type End, type Result, resultOf } from './result.js';
import { select } from './select.js';
import { verdictText } from './table-text.js';

export class Hunt {
  readonly #plan: Plan;
  readonly #context: CliContext;
  readonly #destination: Destination;
  readonly #alive: Alive;
  #snapshot: LeakSnapshot | undefined;
  /** Of the plugin's status, what its reader was shown. */
  #said: string | undefined;
  #failure: unknown;

  constructor(plan: Plan, context: CliContext, destination: Destination, alive: Alive) {
    this.#plan = plan;
    this.#context = context;
    this.#destination = destination;
    this.#alive = alive;
  }

  /** Until it is over; the report is written then. `agent` is the caller's to stop. */
  async run(agent: CliAgent): Promise<Result> {
    this.#listen(agent);
    const display = displayFor(this.#plan, this.#context, this.#destination);
    let end: { readonly by: End; readonly elapsed: number };
    try {
      await agent.start();
      end = await this.#watch(agent, (progress) => display.show(progress));
    } finally {
      display.close();
    }
    const snapshot = this.#snapshot;
    if (snapshot) this.#report(snapshot);
    return resultOf(this.#plan, { ...end, snapshot, said: this.#said });
  }

  #listen(agent: CliAgent): void {
    if (this.#plan.format !== 'json') return;
    agent.onEvent((event) => {
      if (event.plugin === metadata.name) this.#writeEvent(event);
    });
  }

  /** Who tells of an event must not fail for its reader: a full disk ends the hunt, not the plugin. */
  #writeEvent(event: EventRecord): void {
    try {
      this.#destination.write(jsonLine(eventRecord(event)));
    } catch (error) {
      this.#failure ??= error;
    }
  }

  async #watch(
    agent: CliAgent,
    show: (progress: Progress) => void,
  ): Promise<{ by: End; elapsed: number }> {
    const { duration, collect, kernel, targets, pids } = this.#plan;
    const { interrupted } = this.#context;
    const onlyPids = !kernel && pids.length === targets.length;
    const began = performance.now();
    for (;;) {
      const round = performance.now();
      // What ends while this collects is seen the next time, after a last look.
      const last: End | undefined = interrupted.aborted
        ? 'interrupted'
        : onlyPids && this.#alive.ended
          ? 'gone'
          : round - began >= duration
            ? 'done'
            : undefined;
      if (last === 'done' && this.#plan.closerLook !== 'none') {
        await Promise.race([agent.lookCloser(), aborted(interrupted)]);
      }
      const status = await this.#collect(agent);
      const elapsed = performance.now() - began;
      if (last !== undefined) return { by: last, elapsed: round - began };
      if (onlyPids && isRefused(this.#snapshot)) return { by: 'refused', elapsed };
      show({ elapsed, snapshot: this.#snapshot, status });
      this.#said = status?.reason;
      const left = Math.min(collect - (performance.now() - round), duration - elapsed);
      await pause(Math.max(0, left), interrupted);
    }
  }

  /** Keeps the newest snapshot in which anybody is watched. */
  async #collect(agent: CliAgent): Promise<PluginStatus | undefined> {
    const before = statusOf(agent, metadata.name);
    if (before?.state === 'failed') throw failure(before);
    const { plugins } = await agent.collect();
    if (this.#failure !== undefined) throw this.#failure;
    const own = plugins.find(({ name }) => name === metadata.name);
    const snapshot = own?.records as LeakSnapshot | undefined;
    if (snapshot && (watches(snapshot) || !watches(this.#snapshot))) this.#snapshot = snapshot;
    return statusOf(agent, metadata.name);
  }

  #report(snapshot: LeakSnapshot): void {
    const { format, olderThan, output } = this.#plan;
    const shown = select(snapshot, { olderThan, top: shownOf(this.#plan) });
    const { stdout, env } = this.#context;
    if (format !== 'table' || output !== undefined) {
      this.#destination.write(render(format, shown));
      return;
    }
    const width = stdout.isTTY ? stdout.columns || 80 : Number.POSITIVE_INFINITY;
    this.#destination.write(verdictText(shown, { width, style: styleFor(stdout, env) }));
  }
}

/** Who does not want to wait for the closer look has the report without. */
const aborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));

/** Nobody who was asked for can be followed: to wait would change nothing. */
const isRefused = (snapshot: LeakSnapshot | undefined): boolean =>
  watches(snapshot) && snapshot?.targets.every(({ refused }) => refused) === true;

const watches = (snapshot: LeakSnapshot | undefined): boolean =>
  snapshot !== undefined && snapshot.targets.length > 0;
