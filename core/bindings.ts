import type { InjectionToken } from 'tsyringe';
import type { PluginBindings } from './plugin-runner.js';
import { BpfLoader, Config, Emitter, Health, Kernel, Logger, Metrics, Scope } from './tokens.js';

/** What each token means to one plugin: what its child container is filled with. */
export function tokenValues(
  bindings: PluginBindings,
  kernel: Kernel,
): readonly (readonly [InjectionToken<unknown>, unknown])[] {
  return [
    [Scope, bindings.scope],
    [Config, bindings.config],
    [Logger, bindings.logger],
    [BpfLoader, bindings.loader],
    [Emitter, bindings.emitter],
    [Health, bindings.health],
    [Metrics, bindings.metrics],
    [Kernel, kernel],
  ];
}
