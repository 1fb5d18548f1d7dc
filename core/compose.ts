/**
 * Puts the agent together: kernel, BPF host, loaders, sinks. All that is missing here is who builds
 * a plugin, which is the DI container's work and main.ts's to know.
 */
import { isDeepStrictEqual } from 'node:util';
import { Agent } from './agent.js';
import type { BpfHost } from './bpf/host.js';
import { bpfHostFor } from './bpf/host-for.js';
import type { CreateAgentOptions } from './cli/context.js';
import type { AgentConfig, ExportersConfig } from './config/schema.js';
import { steadyNow } from './identity/boot-moment.js';
import type { Installation } from './install.js';
import type { Kernel, KernelProfile } from './kernel/kernel.js';
import { createBpfLoader } from './kernel/loader.js';
import { readProfile } from './kernel/profile.js';
import { RunningKernel } from './kernel/running-kernel.js';
import { createLogger, type LogOptions } from './log.js';
import { type Logger, silentLogger } from './logger.js';
import { objectName, objectNames } from './metadata.js';
import type { Plugin, PluginModule } from './plugin.js';
import type { PluginBindings } from './plugin-runner.js';
import { type Assemble, type Assembly, Supervisor, type SupervisorOptions } from './supervisor.js';
import type { Telemetry } from './telemetry/pipeline.js';
import { readProcess, selfBatch } from './telemetry/self.js';

/** What is the same for every agent of this process. */
export interface Foundation {
  readonly installation: Installation;
  readonly plugins: readonly PluginModule[];
  readonly build: (module: PluginModule, bindings: PluginBindings, kernel: Kernel) => Plugin;
  /** Instead of libbpf's. */
  readonly bpfHost?: BpfHost;
}

/**
 * An agent whose points stay in the process: live views and checks. Logs warnings and errors. What
 * the agent of this host remembers over its restarts (`state_dir` of a plugin) is not theirs to write.
 */
export function createQuietAgent(
  foundation: Foundation,
  config: AgentConfig,
  { silent, onStrategies }: CreateAgentOptions = {},
): Agent {
  const { level } = config.log;
  return createAgent(foundation, withoutState(config), {
    logger: silent
      ? silentLogger
      : createLogger({ ...stderrLog(), level: level === 'info' ? 'warn' : level }),
    sinks: [],
    ...(onStrategies && { onStrategies }),
  });
}

function withoutState(config: AgentConfig): AgentConfig {
  const plugins = Object.entries(config.plugins).map(([name, plugin]) => {
    if (!('state_dir' in plugin.options)) return [name, plugin];
    return [name, { ...plugin, options: { ...plugin.options, state_dir: '-' } }];
  });
  return { ...config, plugins: Object.fromEntries(plugins) };
}

/** The whole agent: exporters, schedule, reload. */
export function createSupervisor(
  foundation: Foundation,
  config: AgentConfig,
  options: Pick<SupervisorOptions, 'onCollection' | 'onEvent' | 'onSpan'> & {
    /** Takes the log lines instead of stderr, as text. */
    readonly log?: (line: string) => void;
  },
): Supervisor {
  const { log, ...listeners } = options;
  const target = log ? ({ format: 'text', write: log } as const) : stderrLog();
  let { level } = config.log;
  const logger = createLogger({ ...target, level: () => level });
  const startTime = steadyNow();
  const assemble: Assemble = (next, previous) =>
    assembleAgent(
      foundation,
      next,
      { logger, startTime },
      previous as ExportingAssembly | undefined,
    );
  const onConfig = ({ log }: AgentConfig) => {
    level = log.level;
  };
  return new Supervisor({ assemble, logger, onConfig, ...listeners });
}

/** What is the same for every agent of one supervisor. */
interface Shared {
  readonly logger: Logger;
  /** Unix ms: since when the agent's own counters count, over reloads. */
  readonly startTime: number;
}

/** An assembly that knows its sinks, so that a successor can take them over. */
interface ExportingAssembly extends Assembly {
  readonly sinks: readonly Telemetry[];
  /** By sink: a digest of the certificates that it was made with. */
  readonly certificates: readonly string[];
}

async function assembleAgent(
  foundation: Foundation,
  config: AgentConfig,
  { logger, startTime }: Shared,
  previous: ExportingAssembly | undefined,
): Promise<ExportingAssembly> {
  const { certificatesOf } = await import('./telemetry/certificates.js');
  const certificates = split(config.exporters).map((each) => certificatesOf(each, process.env));
  const sinks = await telemetryFor(foundation, config, certificates, logger, previous);
  const closeAllBut = async (kept: readonly Telemetry[]) => {
    await Promise.all(sinks.filter((sink) => !kept.includes(sink)).map((sink) => sink.close()));
  };
  let agent: Agent;
  try {
    const following = previous && { previous: previous.agent };
    agent = createAgent(foundation, config, { logger, sinks, startTime, ...following });
  } catch (error) {
    await closeAllBut(previous?.sinks ?? []);
    throw error;
  }
  return {
    agent,
    config,
    sinks,
    certificates,
    release: (successor) => closeAllBut((successor as ExportingAssembly | undefined)?.sinks ?? []),
  };
}

/**
 * One sink for what is pushed and one for what is scraped: each is taken over from `previous`, with
 * what it has queued, if nothing about it changes.
 */
async function telemetryFor(
  { installation: { version } }: Foundation,
  config: AgentConfig,
  certificates: readonly string[],
  logger: Logger,
  previous: ExportingAssembly | undefined,
): Promise<Telemetry[]> {
  // Loaded here and not at the top: live views export nothing and need none of it.
  const { createTelemetry } = await import('./telemetry/pipeline.js');
  const { detectResource } = await import('./telemetry/resource.js');
  const resource = detectResource({ config: config.resource, env: process.env, version });
  const made: Telemetry[] = [];
  try {
    const wanted = split(config.exporters);
    for (const [n, exporters] of wanted.entries()) {
      const old = previous?.sinks[n];
      const unchanged =
        previous !== undefined &&
        previous.certificates[n] === certificates[n] &&
        isDeepStrictEqual(split(previous.config.exporters)[n], exporters) &&
        isDeepStrictEqual(previous.config.resource, config.resource);
      made.push(
        old && unchanged
          ? old
          : await createTelemetry({ config: exporters, resource, version, logger, previous: old }),
      );
    }
    return made;
  } catch (error) {
    const fresh = made.filter((sink) => !previous?.sinks.includes(sink));
    await Promise.all(fresh.map((sink) => sink.close()));
    throw error;
  }
}

function split({ otlp, prometheus }: ExportersConfig): ExportersConfig[] {
  return [
    { otlp, prometheus: { ...prometheus, enabled: false } },
    { otlp: {}, prometheus },
  ];
}

function createAgent(
  { installation, plugins, build, bpfHost }: Foundation,
  config: AgentConfig,
  {
    logger,
    sinks,
    startTime = steadyNow(),
    previous,
    onStrategies,
  }: {
    logger: Logger;
    sinks: readonly Telemetry[];
    startTime?: number;
    previous?: Agent;
    onStrategies?: NonNullable<CreateAgentOptions['onStrategies']>;
  },
): Agent {
  const btfFile = config.kernel.btf;
  const profiles = config.kernel.profiles ?? installation.profiles;
  const kernel = new RunningKernel({ btfFile, profiles });
  return new Agent({
    config,
    modules: plugins.filter(({ metadata }) => config.plugins[metadata.name]?.enabled),
    build: (module, bindings) => build(module, bindings, kernel),
    loaderFor: (plugin) => ({
      // Made when the plugin asks, so that a missing libbpf or profile is that plugin's failure.
      load: (options) => {
        const name = objectName(plugin, options?.object);
        const configured = options?.object === undefined && config.plugins[plugin]?.strategy;
        return createBpfLoader({
          host: bpfHost ?? bpfHostFor(process.env),
          kernel,
          profile: readProfile(profiles, name),
          objectFile: installation.bpfObject(name),
          strategy: configured || 'auto',
          logger: logger.child({ plugin }),
          btfFile,
          ...(onStrategies && { onReport: onStrategies }),
        }).load(options);
      },
    }),
    dependencies: ({ metadata }) => ({
      btfFile,
      profiles: objectNames(metadata).map((name) => profileIfAny(profiles, name)),
    }),
    previous,
    describe: (described, time) =>
      selfBatch(
        {
          plugins: described,
          exporters: sinks.flatMap((sink) => sink.outcomes()),
          process: readProcess(),
        },
        time,
        startTime,
      ),
    sinks,
    logger,
  });
}

/** One that cannot be read is the plugin's failure, when it asks for it. */
function profileIfAny(folder: string, name: string): KernelProfile | undefined {
  try {
    return readProfile(folder, name);
  } catch {
    return undefined;
  }
}

function stderrLog(): Omit<LogOptions, 'level'> {
  return {
    format: process.stderr.isTTY ? 'text' : 'json',
    write: (line) => void process.stderr.write(line),
  };
}
