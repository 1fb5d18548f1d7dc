/**
 * A plugin on this kernel as the agent builds it, whose programs can be detached and attached again
 * within milliseconds: with and without it, in turns.
 */
import 'reflect-metadata';
import type { BpfLink, BpfLoader, LoadedBpf, ProgramSpec } from '../core/bpf/host.js';
import { createBpfHost } from '../core/bpf/libbpf.js';
import { agentSchema, toAgentConfig } from '../core/config/schema.js';
import { findInstallation } from '../core/install.js';
import { createBpfLoader } from '../core/kernel/loader.js';
import { readProfile } from '../core/kernel/profile.js';
import { RunningKernel } from '../core/kernel/running-kernel.js';
import { silentLogger } from '../core/logger.js';
import type { Plugin, PluginModule } from '../core/plugin.js';
import { Scope } from '../core/scope.js';
import { StatusKeeper } from '../core/status.js';
import type { Emitter } from '../core/telemetry/events.js';
import { newSpanIds } from '../core/telemetry/span-ids.js';
import { buildWith, plugins } from '../test/conformance/harness.js';

const kernel = new RunningKernel();
const installation = findInstallation(import.meta.url);

export interface AttachedOptions {
  /** Of its YAML. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly strategy?: string;
}

/** Its events and spans go nowhere, and are counted. */
export class AttachedPlugin {
  readonly plugin: Plugin;
  readonly loaded: LoadedBpf;
  readonly #scope: Scope;
  readonly #told: Told;
  #links: BpfLink[];

  private constructor(scope: Scope, plugin: Plugin, loaded: LoadedBpf, told: Told) {
    this.#scope = scope;
    this.plugin = plugin;
    this.loaded = loaded;
    this.#told = told;
    this.#links = [...loaded.links.values()];
  }

  static async start(name: string, options: AttachedOptions = {}): Promise<AttachedPlugin> {
    const module = plugins.find(({ metadata }) => metadata.name === name);
    if (module === undefined) throw new Error(`there is no plugin ${name}`);
    const scope = new Scope();
    const told = { events: 0, spans: 0 };
    let loaded: LoadedBpf | undefined;
    const inner = loaderOf(name, options.strategy);
    const loader: BpfLoader = {
      load: (loadOptions) => {
        loaded = inner.load(loadOptions);
        return loaded;
      },
    };
    try {
      const plugin = build(module, { scope, loader, told, config: options.config ?? {} });
      await plugin.start();
      if (loaded === undefined) throw new Error(`${name} has loaded nothing`);
      return new AttachedPlugin(scope, plugin, loaded, told);
    } catch (error) {
      await scope.close();
      throw error;
    }
  }

  get events(): number {
    return this.#told.events;
  }

  get spans(): number {
    return this.#told.spans;
  }

  /** Programs that the kernel calls, of strategy and parts. */
  get attached(): readonly string[] {
    return [...this.loaded.links.keys()].filter((name) => !this.#isIterator(name));
  }

  detach(): void {
    for (const link of this.#links) if (!this.#isIterator(link.program)) link.close();
    this.#links = this.#links.filter(({ program }) => this.#isIterator(program));
  }

  attach(): void {
    for (const program of this.attached) this.#links.push(this.loaded.object.attach(program));
  }

  async close(): Promise<void> {
    for (const link of this.#links) link.close();
    await this.#scope.close();
  }

  #isIterator(program: string): boolean {
    const { programs } = this.loaded.object;
    const spec: ProgramSpec | undefined = programs.find(({ name }) => name === program);
    return spec?.section.startsWith('iter/') ?? false;
  }
}

interface Told {
  events: number;
  spans: number;
}

interface Parts {
  readonly scope: Scope;
  readonly loader: BpfLoader;
  readonly told: Told;
  readonly config: Readonly<Record<string, unknown>>;
}

function build(module: PluginModule, { scope, loader, told, config }: Parts): Plugin {
  const { name, metrics } = module.metadata;
  const raw = { plugins: { [name]: config } };
  const checked = toAgentConfig(agentSchema([module]).parse(raw)).plugins[name];
  const emitter: Emitter = {
    event: () => {
      told.events++;
    },
    span: () => {
      told.spans++;
      return newSpanIds();
    },
  };
  const bindings = {
    scope,
    loader,
    emitter,
    config: checked?.options ?? {},
    logger: silentLogger,
    health: new StatusKeeper(name, () => undefined),
    metrics: { isOn: (metric: string) => metrics[metric]?.enabled !== false },
  };
  return buildWith(module, bindings, kernel);
}

const loaderOf = (name: string, strategy = 'auto'): BpfLoader =>
  createBpfLoader({
    host: createBpfHost(),
    kernel,
    profile: readProfile(installation.profiles, name),
    objectFile: installation.bpfObject(name),
    strategy,
    logger: silentLogger,
  });
