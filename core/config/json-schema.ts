import * as z from 'zod';
import type { PluginModule } from '../plugin.js';
import { agentSchema } from './schema.js';

/** The part of JSON Schema that zod writes for a configuration. */
export interface JsonSchema {
  readonly $schema?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  /** Written with a unit in YAML, a plain number in memory. */
  readonly 'x-kind'?: 'duration' | 'size';
}

/** The schema of agent.yaml as people write it, before substitution and defaults. */
export function agentJsonSchema(
  plugins: readonly PluginModule[],
  strategies?: (plugin: string) => readonly string[] | undefined,
): JsonSchema {
  return z.toJSONSchema(agentSchema(plugins, strategies), { io: 'input' }) as JsonSchema;
}

/** The same for editors: with units, and references such as `env:PORT` anywhere. */
export function editorSchema(schema: JsonSchema, byDefault?: unknown): JsonSchema {
  const { description, default: _, 'x-kind': kind, $schema, ...constraint } = schema;
  const { properties, additionalProperties: others, items } = schema;
  const notes: JsonSchema = {
    ...($schema === undefined ? {} : { $schema }),
    ...(description === undefined ? {} : { description }),
    ...(byDefault === undefined || properties ? {} : { default: byDefault }),
  };
  if (kind) return { ...notes, anyOf: [...KINDS[kind], REFERENCE] };
  const formed = schema.enum ?? schema.format ?? schema.pattern;
  if (formed || ['boolean', 'number', 'integer'].includes(String(schema.type))) {
    return { ...notes, anyOf: [constraint, REFERENCE] };
  }
  const defaults = (byDefault ?? {}) as Readonly<Record<string, unknown>>;
  return {
    ...notes,
    ...constraint,
    // A section whose keys are all commented out is null to YAML, and empty to the agent.
    ...(schema.type === 'object' ? { type: ['object', 'null'] } : {}),
    ...(items ? { items: editorSchema(items) } : {}),
    ...(typeof others === 'object' ? { additionalProperties: editorSchema(others) } : {}),
    ...(properties
      ? { properties: mapEntries(properties, (key, value) => editorSchema(value, defaults[key])) }
      : {}),
  };
}

const REFERENCE: JsonSchema = { type: 'string', pattern: '\\$\\{(env|file):' };

const KINDS: Readonly<Record<'duration' | 'size', readonly JsonSchema[]>> = {
  duration: [{ type: 'string', pattern: '^\\s*\\d+(\\.\\d+)?\\s*(ms|s|m|h|d)\\s*$' }],
  size: [
    { type: 'integer' },
    { type: 'string', pattern: '^\\s*\\d+(\\.\\d+)?\\s*(B|[KMGT]iB|[kMG]B)?\\s*$' },
  ],
};

const mapEntries = <T, U>(record: Readonly<Record<string, T>>, map: (key: string, value: T) => U) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(key, value)]));
