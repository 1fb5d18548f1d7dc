import { withoutCredentials } from './credentials.js';
import type { JsonSchema } from './json-schema.js';
import type { LoadedConfig } from './load.js';
import type { AgentConfig } from './schema.js';
import type { Path } from './source.js';
import { pathKey } from './substitute.js';
import { formatDuration, formatSize } from './units.js';

/** Replaces a value that must not be shown; gives any other back. */
export type Redact = (path: Path, value: unknown) => unknown;

/** A value in memory as it would be written in YAML: durations and sizes with their unit. */
export function printed(
  schema: JsonSchema | undefined,
  value: unknown,
  redact: Redact = (_, value) => value,
  path: Path = [],
): unknown {
  const shown = redact(path, value);
  if (shown !== value) return shown;
  if (Array.isArray(value)) {
    return value.map((item, index) => printed(schema?.items, item, redact, [...path, index]));
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key,
        printed(schemaOf(schema, key), item, redact, [...path, key]),
      ]),
    );
  }
  if (typeof value !== 'number') return value;
  if (schema?.['x-kind'] === 'duration') return formatDuration(value);
  return schema?.['x-kind'] === 'size' ? formatSize(value) : value;
}

/** The schema of a section's key. */
export function schemaOf(schema: JsonSchema | undefined, key: string): JsonSchema | undefined {
  const others = schema?.additionalProperties;
  return schema?.properties?.[key] ?? (typeof others === 'object' ? others : undefined);
}

/** The configuration in the shape of the file: a plugin's own keys beside the common ones. */
export function asWritten({ plugins, ...agent }: AgentConfig): Record<string, unknown> {
  const slices = Object.entries(plugins).map(([name, { options, ...common }]) => [
    name,
    { ...common, ...options },
  ]);
  return { ...agent, plugins: Object.fromEntries(slices) };
}

const REDACTED = '[redacted]';

/**
 * Hides what is secret: header values, credentials in URLs, and whatever came from the environment
 * or a file, which is shown as the reference that stands in the YAML.
 */
export function secretsHidden({ references }: Pick<LoadedConfig, 'references'>): Redact {
  return (path, value) => {
    if (typeof value === 'object') return value;
    const reference = references.get(pathKey(path));
    if (path.at(-2) === 'headers') {
      // Beside a reference there may be a part of the secret itself.
      return reference && /^\$\{(env|file):[^}]*\}$/.test(reference) && !reference.includes(':-')
        ? reference
        : REDACTED;
    }
    const text = reference ?? value;
    return typeof text === 'string' ? withoutCredentials(text, REDACTED) : text;
  };
}
