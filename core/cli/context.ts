/**
 * What the commands need of the world, and nothing more: `main.ts` gives them the real one, the
 * tests a fake. No command exits the process, and none knows the DI container.
 */
import type { Collection } from '../agent.js';
import type { LoadedConfig, LoadOptions } from '../config/load.js';
import type { AgentConfig } from '../config/schema.js';
import type { PluginModule, PluginStatus } from '../plugin.js';
import type { EventRecord } from '../telemetry/events.js';

/** Documented in `--help` and README; scripts rely on them. */
export const ExitCode = {
  ok: 0,
  /** It could not do its work: no plugin started, the kernel refused, something broke. */
  failure: 1,
  /** Wrong arguments, or a mistake in the configuration. */
  usage: 2,
  /** `check --strict` found a plugin that is not ok. */
  notOk: 3,
  /** A second Ctrl-C: nothing was flushed. */
  forced: 130,
} as const;

/** A stream as the commands see it; `process.stdout` is one. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
}

/** The part of `Agent` that commands use. */
export interface CliAgent {
  start(): Promise<void>;
  schedule(): void;
  collect(): Promise<Collection>;
  stop(): Promise<void>;
  readonly statuses: readonly PluginStatus[];
  onCollection(listener: (collection: Collection) => void): void;
  onEvent(listener: (event: EventRecord) => void): void;
}

export interface CreateAgentOptions {
  /** Whether points and events leave the process; live views and `check` keep them. */
  readonly exporting: boolean;
  /** Takes the agent's log lines while the terminal is a live table; else they go to stderr. */
  readonly log?: (line: string) => void;
  /** Only warnings and errors are worth a line; for one-shot commands. */
  readonly quiet?: boolean;
}

export interface CliContext {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** Folder of the installed program: `config/` lies in it. */
  readonly root: string;
  readonly plugins: readonly PluginModule[];
  loadConfig(options: Pick<LoadOptions, 'file' | 'overrides'>): LoadedConfig;
  createAgent(config: AgentConfig, options: CreateAgentOptions): CliAgent | Promise<CliAgent>;
  /** Aborted by SIGINT, by SIGTERM, and when the reader of stdout has gone away. */
  readonly interrupted: AbortSignal;
  /** SIGHUP. Gives back how to stop listening. */
  onReload(listener: () => void): () => void;
  /** Runs when the process ends, however it ends. Gives back how to take it off. */
  onExit(listener: () => void): () => void;
}
