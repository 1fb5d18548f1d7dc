/**
 * The contract between the agent and a plugin. A newcomer reads this file first.
 *
 * A plugin is one folder under `plugins/` and one line in `plugins/index.ts`. It sees one aspect of
 * memory with one BPF object, and is told apart from the agent by four things:
 *
 *   metadata   what it sees and emits: names, units, attributes, configuration (pure data)
 *   Plugin     the live part, built by dependency injection; it outlives a reload that does not change
 *              its configuration
 *   report     records → metric points: pure, so that it can be tested without a kernel
 *   view       records → a table for people
 *
 * Its life: the agent makes a child container and a `Scope`, builds the plugin, awaits `start()`
 * (which returns once everything is attached), then calls `collect()` once an interval. There is no
 * `stop()`: what was acquired went to the scope on the line where it was acquired, and the agent
 * closes the scope, whether the plugin started, failed half way or ran for a year.
 *
 * What goes wrong stays with the plugin: an error from `start()` makes its status `failed`, one
 * from `collect()` makes it `degraded` until a collection succeeds; the others run on. So does a
 * `collect()` that takes longer than `collect_timeout`; it is never called while one is under way.
 */

import type { PluginCommand } from './cli/plugin-command.js';
import type { View } from './cli/view.js';
import type { Metadata } from './metadata.js';
import type { PointWriter } from './telemetry/points.js';

export interface Plugin<Records = unknown> {
  /** Loads and attaches. Resolves once the plugin sees. Throws a coded error. */
  start(): void | Promise<void>;
  /**
   * Reads one consistent snapshot. What could not be read is absent from the records, never 0.
   * Throws if nothing could be read.
   */
  collect(): Records | Promise<Records>;
  /** Looks once more and harder than usual, for a command's last collection. What fails is a reason, not thrown. */
  lookCloser?(): Promise<void>;
  /**
   * Reports at once what it has seen and not yet reported, where that waits between collections for
   * more of its kind. On a reload, the old instance reports it before its successor takes over; what
   * the successor has seen until then is dropped.
   */
  settle?(): void;
  /**
   * Before the first collection: state that outlives an instance (a file) is its own from now on, to
   * be loaded and saved. On a reload, the old instance has handed over by then. Never called of an
   * instance whose trial is abandoned.
   */
  takeOver?(): void | Promise<void>;
  /** A successor is about to take over: saves what that one goes on with, and nothing after it. */
  handOver?(): void | Promise<void>;
}

/** What a plugin's folder exports by the name of the plugin, and `plugins/index.ts` lists. */
export interface PluginModule<M extends Metadata = Metadata, Records = unknown> {
  readonly metadata: M;
  /** Built by tsyringe from the tokens of `core/tokens.ts`; `new` with fakes works as well. */
  readonly Plugin: new (
    ...dependencies: never[]
  ) => Plugin<Records>;
  /** Writes a snapshot as metric points. Pure. */
  report(records: Records, out: PointWriter<M>): void;
  /** How a person sees a snapshot: `mem-watcher <name>`. */
  readonly view: View<Records>;
  /** Commands of its own, where a view is not enough. */
  readonly commands?: readonly PluginCommand[];
}

/** Keeps the types of one module together; `plugins/index.ts` then holds them side by side. */
export function definePlugin<M extends Metadata, Records>(
  module: PluginModule<M, Records>,
): PluginModule {
  return module as unknown as PluginModule;
}

/** `degraded`: it runs, but something is missing or lost, and the reason says what. */
export type PluginState = 'starting' | 'ok' | 'degraded' | 'failed' | 'stopped';

export interface PluginStatus {
  readonly plugin: string;
  readonly state: PluginState;
  /** Why it is not `ok`; one sentence, with the verifier's last words if it was the verifier. */
  readonly reason: string | undefined;
  /** The strategy in use, once chosen (config/kernel/<plugin>.yaml). */
  readonly strategy: string | undefined;
  /** What this kernel does not give by this strategy; no fault, so the plugin may be `ok`. */
  readonly lacks: readonly string[];
  /** Unix time of the last change, milliseconds. */
  readonly since: number;
}

/**
 * A plugin's own voice about its health. A condition is a state, not a stream: setting the same
 * one again says nothing, and clearing it makes the plugin `ok` when no other holds.
 */
export interface Health {
  /** Raises (or rewords) the condition `id`: the plugin is degraded, for `reason`. */
  degraded(id: string, reason: string): void;
  /** The condition no longer holds. */
  clear(id: string): void;
  /**
   * What the plugin cannot see on this kernel by this strategy, each as a person would name it:
   * a property, said once at start, beside what the parts lack that could not be loaded. It replaces
   * what the plugin said before.
   */
  lacks(what: readonly string[]): void;
  /**
   * How full a map is, 0 to 1, where only the plugin can know. Rings are known to the core. `object`:
   * of which of its objects, if not the plugin's own.
   */
  fullness(map: string, share: number, object?: string): void;
  /** So many records came from the kernel and could not be decoded. */
  decodeErrors(count: number): void;
  /** So many cgroups were gone before their path could be asked for: records lack their names. */
  cgroupsGone(count: number): void;
}

/**
 * Which of the plugin's metrics are reported: switched on, and not reported by another plugin that
 * runs. A metric that two plugins declare is the first one's in `plugins/index.ts`: it is read once
 * and has one series. Of such a metric the answer changes when a reload starts or stops the other.
 */
export interface Metrics {
  isOn(metric: string): boolean;
}
