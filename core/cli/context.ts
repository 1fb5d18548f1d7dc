/**
 * What the commands need of the world, and nothing more: `main.ts` gives them the real one, the
 * tests a fake. No command exits the process, and none knows the DI container.
 */
import type { Collection } from '../agent.js';
import type { LoadedConfig, LoadOptions } from '../config/load.js';
import type { AgentConfig } from '../config/schema.js';
import type { StrategyReport } from '../kernel/kernel.js';
import type { PluginModule, PluginStatus } from '../plugin.js';
import type { EventRecord, SpanRecord } from '../telemetry/events.js';

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
  write(data: string | Uint8Array): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  /** Bytes that wait to be written; absent where writing is immediate. */
  readonly writableLength?: number;
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
}

/** The part of `Agent` that one-shot commands and live views use. */
export interface CliAgent {
  start(): Promise<void>;
  collect(): Promise<Collection>;
  lookCloser(): Promise<void>;
  stop(): Promise<void>;
  readonly statuses: readonly PluginStatus[];
  onEvent(listener: (event: EventRecord) => void): void;
  onSpan(listener: (span: SpanRecord) => void): void;
}

/** The part of `Supervisor` that `run` uses. */
export interface CliSupervisor {
  start(config: AgentConfig): Promise<void>;
  reload(load: () => AgentConfig): Promise<boolean>;
  stop(): Promise<void>;
  readonly statuses: readonly PluginStatus[];
}

export interface CliSupervisorOptions {
  readonly onCollection: (collection: Collection) => void;
  readonly onEvent: (event: EventRecord) => void;
  /** Only where spans are shown: whoever listens takes them. */
  readonly onSpan?: (span: SpanRecord) => void;
  /** Takes the agent's log lines while the terminal is a live table; else they go to stderr. */
  readonly log?: (line: string) => void;
}

export interface CreateAgentOptions {
  /** Told of every plugin's strategies, once they were tried. */
  readonly onStrategies?: (report: StrategyReport) => void;
  /** Logs nothing at all: the statuses say it. */
  readonly silent?: true;
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
  /** An agent whose points and events stay in the process. It logs warnings and errors only. */
  createAgent(config: AgentConfig, options?: CreateAgentOptions): CliAgent | Promise<CliAgent>;
  /** The whole agent: exporters, schedule, reload. */
  createSupervisor(config: AgentConfig, options: CliSupervisorOptions): CliSupervisor;
  /** Aborted by SIGINT, by SIGTERM, and when the reader of stdout has gone away. */
  readonly interrupted: AbortSignal;
  /** SIGHUP. Gives back how to stop listening. */
  onReload(listener: () => void): () => void;
  /** Runs when the process ends, however it ends. Gives back how to take it off. */
  onExit(listener: () => void): () => void;
}
