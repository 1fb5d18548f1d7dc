/** The commands' world in memory: streams that remember, signals that are called by hand. */
import { EventEmitter, once } from 'node:events';
import { Agent, type Collection } from '../../core/agent.js';
import type { LoadedBpf } from '../../core/bpf/host.js';
import type { CliContext, Output } from '../../core/cli/context.js';
import { loadConfig } from '../../core/config/load.js';
import type { AgentConfig } from '../../core/config/schema.js';
import { silentLogger } from '../../core/logger.js';
import type { Plugin, PluginModule } from '../../core/plugin.js';
import type { PluginBindings } from '../../core/plugin-runner.js';
import { Supervisor, type SupervisorOptions } from '../../core/supervisor.js';
import { Pool, pool } from './plugin.js';

/** Remembers what was written. */
export class FakeOutput implements Output {
  text = '';
  /** What was written and is no text. */
  readonly bytes: Uint8Array[] = [];
  isTTY = false;
  columns = 80;
  rows = 24;
  readonly #events = new EventEmitter();

  write(data: string | Uint8Array) {
    if (typeof data === 'string') this.text += data;
    else this.bytes.push(data);
    this.#events.emit('write');
  }

  on(event: 'resize', listener: () => void) {
    this.#events.on(event, listener);
  }

  off(event: 'resize', listener: () => void) {
    this.#events.off(event, listener);
  }

  resize(columns: number, rows: number) {
    Object.assign(this, { columns, rows });
    this.#events.emit('resize');
  }

  /** Resolves once what was written matches. */
  async until(pattern: RegExp) {
    while (!pattern.test(this.text)) await once(this.#events, 'write');
  }
}

export interface FakeWorldOptions {
  readonly env?: Record<string, string>;
  readonly plugins?: readonly PluginModule[];
  readonly build?: (module: PluginModule, bindings: PluginBindings) => Plugin;
}

export class FakeWorld {
  readonly stdout = new FakeOutput();
  readonly stderr = new FakeOutput();
  readonly #interruption = new AbortController();
  readonly #reload: (() => void)[] = [];
  readonly #exit: (() => void)[] = [];
  readonly #events = new EventEmitter();
  readonly context: CliContext;
  /** Agents that were made, for their statuses. */
  readonly agents: Agent[] = [];

  constructor(root: string, options: FakeWorldOptions = {}) {
    const { env = {}, plugins = [pool], build = buildPool } = options;
    const agentOf = (config: AgentConfig): Agent => {
      const agent = new Agent({
        config,
        modules: plugins.filter(({ metadata }) => config.plugins[metadata.name]?.enabled),
        build,
        loaderFor: () => ({
          load: () => ({ strategy: 'only', lacks: [], close() {} }) as unknown as LoadedBpf,
        }),
        sinks: [],
        logger: silentLogger,
      });
      this.agents.push(agent);
      return agent;
    };
    this.context = {
      stdout: this.stdout,
      stderr: this.stderr,
      env,
      version: '1.2.3',
      root,
      plugins,
      loadConfig: (given) => loadConfig({ ...given, env, root, plugins }),
      createAgent: agentOf,
      createSupervisor: (_config, { onCollection, onEvent, onSpan }) => {
        const supervised: SupervisorOptions = {
          assemble: async (config) => ({ agent: agentOf(config), config, release: async () => {} }),
          logger: silentLogger,
          onCollection: (collection: Collection) => onCollection(collection),
          onEvent,
          ...(onSpan && { onSpan }),
        };
        const supervisor = new Supervisor(supervised);
        const reload = supervisor.reload.bind(supervisor);
        supervisor.reload = async (load) => {
          const taken = await reload(load);
          this.#events.emit('reloaded', taken);
          return taken;
        };
        return supervisor;
      },
      interrupted: this.#interruption.signal,
      onReload: (listener) => subscribe(this.#reload, listener),
      onExit: (listener) => subscribe(this.#exit, listener),
    };
  }

  interrupt() {
    this.#interruption.abort();
  }

  /** SIGHUP; resolves to whether the new configuration was taken. */
  async reload(): Promise<boolean> {
    const reloaded = once(this.#events, 'reloaded');
    for (const listener of this.#reload) listener();
    const [taken] = (await reloaded) as [boolean];
    return taken;
  }

  /** What the process does when it ends. */
  exit() {
    for (const listener of [...this.#exit]) listener();
  }
}

function subscribe(listeners: (() => void)[], listener: () => void): () => void {
  listeners.push(listener);
  return () => void listeners.splice(listeners.indexOf(listener), 1);
}

const buildPool = (_: PluginModule, { config }: PluginBindings) =>
  new Pool(config as ConstructorParameters<typeof Pool>[0]);
