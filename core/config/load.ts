import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type * as z from 'zod';
import { describeError, MemWatcherError } from '../errors.js';
import type { PluginModule } from '../plugin.js';
import { check, type Mistake } from './check.js';
import { ConfigError, type ConfigProblem } from './problem.js';
import { type AgentConfig, agentSchema, type RawAgent, toAgentConfig } from './schema.js';
import { ConfigSource, type Path } from './source.js';
import { type Substitution, substitute } from './substitute.js';

/** Values laid over the file's, from the command line. */
export interface Override {
  /** Named in messages: `--interval`. */
  readonly origin: string;
  readonly value: Readonly<Record<string, unknown>>;
}

export interface LoadOptions {
  /** Default: MEM_WATCHER_CONFIG, /etc/mem-watcher/agent.yaml, config/agent.yaml of the program. */
  readonly file?: string | undefined;
  readonly overrides?: readonly Override[] | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder of the installed program. */
  readonly root: string;
  readonly plugins: readonly PluginModule[];
  /** Names of a plugin's strategies, where its profile is at hand; `folder` is kernel.profiles. */
  readonly strategies?: StrategyNames | undefined;
}

export type StrategyNames = (
  plugin: string,
  folder: string | undefined,
) => readonly string[] | undefined;

export interface LoadedConfig {
  readonly config: AgentConfig;
  readonly file: string;
  /** Values that came from outside the file; see `printConfig`. */
  readonly references: Substitution['references'];
}

/**
 * Reads, substitutes, checks. Throws a ConfigError with every mistake (CONFIG_INVALID), or
 * CONFIG_NOT_FOUND.
 */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const file = configFile(options);
  const source = new ConfigSource(file, read(file));
  const { env, overrides = [] } = options;
  const { value, references, mistakes } = substitute(source.value, { env, folder: dirname(file) });
  const layered = overrides.reduce<unknown>((below, { value }) => overlay(below, value), value);
  // The folder says which strategies there are, so it is looked at before anything is checked.
  const folder = textAt(layered, ['kernel', 'profiles']);
  const schema: z.ZodType<RawAgent> = agentSchema(options.plugins, (plugin) =>
    options.strategies?.(plugin, folder),
  );
  const checked = check(schema, layered, references);
  const places = [
    ...mistakes.map((mistake): Mistake => ({ ...mistake, of: 'value' })),
    // What could not be looked up is empty, and what the schema says of that helps nobody.
    ...(checked.ok ? [] : checked.mistakes.filter(({ path }) => !isAmong(path, mistakes))),
  ];
  if (places.length > 0 || !checked.ok) {
    throw new ConfigError(places.map((mistake) => locate(mistake, source, overrides)));
  }
  return { config: toAgentConfig(checked.value), file, references };
}

/** The file that would be read. CONFIG_NOT_FOUND with the places that were looked at. */
export function configFile({
  file,
  env,
  root,
}: Pick<LoadOptions, 'file' | 'env' | 'root'>): string {
  const named = file ?? env.MEM_WATCHER_CONFIG;
  if (named) return named;
  const places = ['/etc/mem-watcher/agent.yaml', join(root, 'config', 'agent.yaml')];
  const found = places.find((place) => existsSync(place));
  if (found) return found;
  throw new MemWatcherError('CONFIG_NOT_FOUND', `no configuration at ${places.join(' or ')}`, {
    hint: 'name one with --config FILE or MEM_WATCHER_CONFIG',
  });
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') {
      throw new MemWatcherError('CONFIG_NOT_FOUND', `${file}: there is no such file`, {
        hint: 'name the configuration with --config FILE or MEM_WATCHER_CONFIG',
      });
    }
    throw new MemWatcherError('CONFIG_INVALID', `${file}: cannot be read: ${describeError(error)}`);
  }
}

const isSection = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function textAt(value: unknown, path: Path): string | undefined {
  const found = path.reduce<unknown>(
    (at, step) => (isSection(at) ? at[String(step)] : undefined),
    value,
  );
  return typeof found === 'string' ? found : undefined;
}

/** Sections are merged; anything else replaces. */
function overlay(below: unknown, above: unknown): unknown {
  if (!isSection(above) || (below !== null && !isSection(below))) return above;
  const merged: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above))
    merged[key] = overlay(merged[key] ?? null, value);
  return merged;
}

const isAmong = (path: Path, mistakes: readonly { path: Path }[]) =>
  mistakes.some((mistake) => mistake.path.join('\0') === path.join('\0'));

function locate(
  mistake: Mistake,
  source: ConfigSource,
  overrides: readonly Override[],
): ConfigProblem {
  const { path, message, of } = mistake;
  const override = overrides.findLast(({ value }) => has(value, path));
  return override ? { source: override.origin, message } : source.problem(path, message, of);
}

function has(value: unknown, path: Path): boolean {
  const [step, ...rest] = path;
  if (step === undefined) return true;
  if (!isSection(value)) return true;
  return Object.hasOwn(value, String(step)) && has(value[String(step)], rest);
}
