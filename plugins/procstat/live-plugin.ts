/** The plugin on the running kernel, for tests: loaded by the strategies that the kernel can do. */
import 'reflect-metadata';
import type { BpfLoader, LoadedBpf, LoadOptions } from '../../core/bpf/host.js';
import { createBpfHost } from '../../core/bpf/libbpf.js';
import { findInstallation } from '../../core/install.js';
import type { Strategy } from '../../core/kernel/kernel.js';
import { createBpfLoader } from '../../core/kernel/loader.js';
import { readProfile } from '../../core/kernel/profile.js';
import { RunningKernel } from '../../core/kernel/running-kernel.js';
import { silentLogger } from '../../core/logger.js';
import { Scope } from '../../core/scope.js';
import { StatusKeeper } from '../../core/status.js';
import { metadata } from './metadata.js';
import { ProcstatPlugin } from './plugin.js';
import type { Process } from './process.js';

const installation = findInstallation(import.meta.url);
const profile = readProfile(installation.profiles, 'procstat');
const kernel = new RunningKernel();

export class LivePlugin {
  readonly scope = new Scope();
  readonly health = new StatusKeeper('procstat', () => undefined);
  readonly plugin: ProcstatPlugin;
  strategy: string | undefined;
  loaded: LoadedBpf | undefined;

  /** `constants`: beyond those that the plugin sets. */
  constructor(
    config: Record<string, unknown> = {},
    strategy = 'auto',
    constants: LoadOptions['constants'] = {},
  ) {
    const loader = createBpfLoader({
      host: createBpfHost(),
      kernel,
      profile,
      strategy,
      logger: silentLogger,
      objectFile: installation.bpfObject('procstat'),
      onReport: ({ chosen }) => {
        this.strategy = chosen;
      },
    });
    const checked = metadata.config.parse({ top: 0, ...config });
    const remembering: BpfLoader = {
      load: (options = {}) => {
        this.loaded = loader.load({
          ...options,
          constants: { ...options.constants, ...constants },
        });
        return this.loaded;
      },
    };
    this.plugin = new ProcstatPlugin(this.scope, checked, remembering, this.health);
    this.plugin.start();
    this.health.running();
  }

  /** One collection, by pid. */
  processes(): Map<number, Process> {
    const all = this.plugin.collect().series.flatMap(({ process }) => process ?? []);
    return new Map(all.map((process) => [process.pid, process]));
  }

  process(pid: number): Process {
    const process = this.processes().get(pid);
    if (!process) throw new Error(`procstat does not see process ${pid}`);
    return process;
  }

  /** What the hash map holds, whether a collection shows it or not. */
  recordedPids(): number[] {
    const keys = [...(this.loaded?.object.map('by_pid').keys() ?? [])];
    return keys.map((key) => new DataView(key.buffer, key.byteOffset).getUint32(0, true));
  }

  close(): Promise<void> {
    return this.scope.close();
  }
}

/** Every strategy, or the one that MEM_WATCHER_STRATEGY names, and what this kernel lacks for it. */
export const strategies = profile.strategies
  .filter(({ name }) => name === (process.env.MEM_WATCHER_STRATEGY ?? name))
  .map((strategy) => ({
    name: strategy.name,
    lack: lackOf(strategy),
    /** It reads as a process is switched out, and not when a collection asks. */
    hooked: strategy.manual === true,
  }));

function lackOf({ needs = [] }: Strategy): string | undefined {
  const lacks = needs.map((fact) => kernel.check(fact)).flatMap((r) => (r.holds ? [] : r.missing));
  return lacks.length > 0 ? `this kernel lacks ${lacks.join(', ')}` : undefined;
}

/** Before 6.2 a hook sees only its own thread's share of what is not yet counted. */
export const countersPerThread = kernel.check({ btf_type: 'task_rss_stat' }).holds;
