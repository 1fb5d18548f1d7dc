/**
 * What can be injected. A token and its type share one name. Every plugin has a child container,
 * so the same token gives each its own scope, BPF object, configuration and logger.
 *
 *   constructor(@inject(Scope) scope: Scope, @inject(Config) config: Config<typeof metadata>) {}
 */
import type { InjectionToken } from 'tsyringe';
import type { BpfLoader as BpfLoaderType } from './bpf/host.js';
import type { Kernel as KernelType } from './kernel/kernel.js';
import type { Logger as LoggerType } from './logger.js';
import type { ConfigOf, Metadata } from './metadata.js';
import type { Health as HealthType, Metrics as MetricsType } from './plugin.js';
import type { Scope as ScopeClass } from './scope.js';
import type { Emitter as EmitterType } from './telemetry/events.js';

const token = <T>(name: string): InjectionToken<T> => Symbol.for(`mem-watcher.${name}`);

/** Owns what the plugin acquires; the agent closes it. */
export const Scope = token<ScopeClass>('Scope');
export type Scope = ScopeClass;

/** The plugin's slice of the YAML, checked, with defaults. */
export const Config = token<unknown>('Config');
export type Config<M extends Metadata> = ConfigOf<M>;

export const Logger = token<LoggerType>('Logger');
export type Logger = LoggerType;

/** Facts about the running kernel. */
export const Kernel = token<KernelType>('Kernel');
export type Kernel = KernelType;

/** Loads the plugin's own BPF object by the best strategy. */
export const BpfLoader = token<BpfLoaderType>('BpfLoader');
export type BpfLoader = BpfLoaderType;

/** Events and spans. */
export const Emitter = token<EmitterType>('Emitter');
export type Emitter<M extends Metadata> = EmitterType<M>;

/** Which of the plugin's metrics anybody wants: what is off need not be read. */
export const Metrics = token<MetricsType>('Metrics');
export type Metrics = MetricsType;

export const Health = token<HealthType>('Health');
export type Health = HealthType;
