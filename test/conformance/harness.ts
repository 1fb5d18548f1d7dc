/** What the conformance tests need of every plugin: its build by the container, with fakes. */
import 'reflect-metadata';
import { join, resolve } from 'node:path';
import { container, type InjectionToken } from 'tsyringe';
import { tokenValues } from '../../core/bindings.js';
import type { BpfLoader, LoadedBpf } from '../../core/bpf/host.js';
import { agentSchema, toAgentConfig } from '../../core/config/schema.js';
import { MemWatcherError, NotSupported } from '../../core/errors.js';
import type { Kernel as KernelType } from '../../core/kernel/kernel.js';
import { readProfile } from '../../core/kernel/profile.js';
import { silentLogger } from '../../core/logger.js';
import { objectName, objectNames } from '../../core/metadata.js';
import type { Plugin, PluginModule } from '../../core/plugin.js';
import type { PluginBindings } from '../../core/plugin-runner.js';
import { Scope } from '../../core/scope.js';
import { StatusKeeper } from '../../core/status.js';
import { FakeMap, FakeObject, fakeLoader } from '../fakes/bpf-host.js';

// Through here, because the decorators of plugins need the polyfill above before they are read.
export { plugins } from '../../plugins/index.js';

/** The repository: this file is emitted to dist/test/conformance. */
export const root = resolve(import.meta.dirname, '..', '..', '..');

export const profiles = join(root, 'config', 'kernel');

const factlessKernel: KernelType = {
  release: '0.0.0',
  btfPath: undefined,
  check: () => ({ holds: false, missing: 'everything' }),
  resolve: () => {
    throw new NotSupported('everything');
  },
  enumerators: () => undefined,
};

/** The plugin as main.ts builds it. */
export function buildWith(module: PluginModule, bindings: PluginBindings, kernel: KernelType) {
  const child = container.createChildContainer();
  for (const [token, useValue] of tokenValues(bindings, kernel))
    child.register(token, { useValue });
  return child.resolve(module.Plugin as InjectionToken<Plugin>);
}

/** The plugin on its default configuration, with nothing real but itself. */
export function build(module: PluginModule, loader: BpfLoader) {
  const scope = new Scope();
  const { name } = module.metadata;
  const { options = {} } = toAgentConfig(agentSchema([module]).parse({})).plugins[name] ?? {};
  const bindings: PluginBindings = {
    scope,
    config: options,
    logger: silentLogger,
    loader,
    emitter: { event: () => undefined, span: () => undefined },
    health: new StatusKeeper(name, () => undefined),
    metrics: { isOn: () => true },
  };
  return { plugin: buildWith(module, bindings, factlessKernel), scope };
}

/** Has whatever map is asked for; types and constants are the real object's. */
class AnyObject extends FakeObject {
  readonly #any = new Map<string, FakeMap>();

  override map(name: string): FakeMap {
    const map = this.#any.get(name) ?? new FakeMap({ name, valueSize: 65_536 }, this.#any.size);
    this.#any.set(name, map);
    return map;
  }

  override setMaxEntries(name: string, maxEntries: number): void {
    const spec = { ...this.map(name).spec, maxEntries: Math.min(maxEntries, 64) };
    this.#any.set(name, new FakeMap(spec, this.#any.size));
  }
}

export const hasParts = ({ metadata }: PluginModule): boolean =>
  objectNames(metadata).some((name) => (readProfile(profiles, name).parts ?? []).length > 0);

/**
 * A kernel in which the plugin's first strategy loads, its parts too if `partsLoad`, and that shows
 * it nothing.
 */
export function emptyLoader({ metadata }: PluginModule, partsLoad = true): BpfLoader {
  return {
    load: (options) =>
      emptyObject(objectName(metadata.name, options?.object), partsLoad).load(options),
  };
}

function emptyObject(name: string, partsLoad: boolean): BpfLoader {
  const { strategies, parts = [] } = readProfile(profiles, name);
  const [strategy] = strategies;
  const chosen = partsLoad ? parts : [];
  const ways = [strategy, ...chosen.map(({ choices }) => choices[0])];
  const sections = ways.flatMap((way) => {
    const { programs = [], attach = programs } = way ?? {};
    return programs.map((program) => {
      const section = attach.includes(program) ? 'iter/task' : 'raw_tp';
      return [program, { section, run: () => 1 }] as const;
    });
  });
  const file = join(root, 'dist', 'bpf', `${name}.bpf.o`);
  return fakeLoader(
    new AnyObject({ file, programs: Object.fromEntries(sections) }),
    strategy?.name,
    new Map(chosen.map((part) => [part.name, part.choices[0]?.name ?? ''])),
  );
}

/** Methods that give what has methods, and is closed. */
const RESOURCES: ReadonlySet<string | symbol> = new Set([
  'map',
  'mapped',
  'ring',
  'attach',
  'attachUprobes',
]);

/** Counts what is acquired through a loader and not yet closed, and fails one call on demand. */
export class Watch {
  calls = 0;
  open = 0;

  /** `failAt`: the call that throws, from 1. */
  constructor(readonly failAt = Number.POSITIVE_INFINITY) {}

  loader(inner: BpfLoader): BpfLoader {
    return {
      load: (options) =>
        this.#watched(
          this.#call(() => inner.load(options)),
          true,
        ),
    };
  }

  #call<T>(call: () => T): T {
    this.calls++;
    if (this.calls === this.failAt) throw new MemWatcherError('INTERNAL', 'injected');
    return call();
  }

  /** Every method counts; what can be closed counts as open until it is. */
  #watched<T extends object>(target: T, owned: boolean): T {
    const closable = 'close' in target && owned;
    if (closable) this.open++;
    let closed = false;
    return new Proxy(target, {
      get: (_, key) => {
        const value = Reflect.get(target, key, target) as unknown;
        if (key === 'object') return this.#watched(value as LoadedBpf['object'], false);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]) => {
          if (key === 'close') {
            if (closable && !closed) this.open--;
            closed = true;
            return value.apply(target, given);
          }
          const result: unknown = this.#call(() => value.apply(target, given));
          const resource = RESOURCES.has(key);
          return resource ? this.#watched(result as object, key !== 'map') : result;
        };
      },
    });
  }
}
