/**
 * What a plugin is, as data: its metadata, its configuration keys and its kernel profile side by
 * side. `mem-watcher plugins NAME` and the tables of the READMEs are two printings of it.
 */
import { agentJsonSchema, type JsonSchema } from './config/json-schema.js';
import { asWritten, printed, schemaOf } from './config/printed.js';
import { agentSchema, toAgentConfig } from './config/schema.js';
import type { KernelProfile } from './kernel/kernel.js';
import { describeFact } from './kernel/running-kernel.js';
import type { AttributeSpec, Metadata, MetricKind, Severity } from './metadata.js';
import type { PluginModule } from './plugin.js';

/** What can be said of metadata alone. */
export interface MetadataDescription {
  readonly plugin: string;
  readonly title: string;
  readonly description: string;
  /** Attributes that every metric has; `metrics[].attributes` lists the others. */
  readonly common_attributes: readonly string[];
  readonly metrics: readonly {
    readonly name: string;
    readonly kind: MetricKind;
    readonly unit: string;
    readonly description: string;
    readonly attributes: readonly string[];
    readonly enabled: boolean;
  }[];
  readonly attributes: readonly ({ readonly name: string } & AttributeSpec)[];
  readonly events: readonly {
    readonly name: string;
    readonly severity: Severity;
    readonly description: string;
    readonly attributes: readonly string[];
  }[];
  readonly spans: readonly {
    readonly name: string;
    readonly description: string;
    readonly attributes: readonly string[];
  }[];
}

export interface PluginDescription extends MetadataDescription, ProfileDescription {
  /** The original's short flag. */
  readonly alias?: string;
  readonly config: readonly ConfigKey[];
  /** Of objects besides its own. */
  readonly objects?: readonly ({ readonly object: string } & ProfileDescription)[];
}

/** The ways in which an object can see. */
export interface ProfileDescription {
  /** In order of preference; empty where the profile is not at hand. */
  readonly strategies: readonly {
    readonly name: string;
    readonly summary: string;
    readonly needs: readonly string[];
    /** Taken only when configured by name. */
    readonly manual: boolean;
  }[];
  /** What it sees besides, where the kernel lets it. */
  readonly parts: readonly {
    readonly name: string;
    readonly summary: string;
    /** What is missing without it. */
    readonly lacks: readonly string[];
    /** In order of preference. */
    readonly choices: readonly {
      readonly name: string;
      readonly summary: string;
      readonly needs: readonly string[];
    }[];
  }[];
}

export interface ConfigKey {
  /** Below `plugins.<name>`, with dots. */
  readonly key: string;
  readonly type: string;
  /** As YAML has it; undefined where the key has none. */
  readonly default: unknown;
  readonly description: string;
}

/** `profiles`: of its own object, and of those besides; those that are at hand. */
export function describePlugin(
  module: PluginModule,
  [own, ...others]: readonly KernelProfile[],
): PluginDescription {
  const { metadata, view } = module;
  const objects = others.map((profile) => ({
    object: profile.plugin,
    ...describeProfile(profile),
  }));
  return {
    ...describeMetadata(metadata),
    ...(view.alias === undefined ? {} : { alias: view.alias }),
    config: configKeys(module),
    ...describeProfile(own),
    ...(objects.length > 0 && { objects }),
  };
}

function describeProfile(profile: KernelProfile | undefined): ProfileDescription {
  return {
    strategies: (profile?.strategies ?? []).map(
      ({ name, summary, needs = [], manual = false }) => ({
        name,
        summary,
        needs: needs.map(describeFact),
        manual,
      }),
    ),
    parts: (profile?.parts ?? []).map(({ name, summary, lacks, choices }) => ({
      name,
      summary,
      lacks,
      choices: choices.map(({ name, summary, needs = [] }) => ({
        name,
        summary,
        needs: needs.map(describeFact),
      })),
    })),
  };
}

export function describeMetadata(metadata: Metadata): MetadataDescription {
  const common = commonAttributes(metadata);
  const named = <T extends object>(specs: Readonly<Record<string, T>>) =>
    Object.entries(specs).map(([name, spec]) => ({ name, ...spec }));
  return {
    plugin: metadata.name,
    title: metadata.title,
    description: metadata.description,
    common_attributes: common,
    metrics: Object.entries(metadata.metrics).map(
      ([name, { kind, unit, description, attributes, enabled }]) => ({
        name,
        kind,
        unit,
        description,
        attributes: attributes.filter((attribute) => !common.includes(attribute)),
        enabled: enabled !== false,
      }),
    ),
    attributes: named(metadata.attributes),
    events: named(metadata.events),
    spans: named(metadata.spans),
  };
}

/** An attribute's example as text. */
export function exampleText(example: NonNullable<AttributeSpec['example']>): string {
  return Array.isArray(example) ? JSON.stringify(example) : String(example);
}

/** Said once where there are several metrics; a single one lists its own. */
function commonAttributes({ metrics }: Metadata): string[] {
  const [first, ...others] = Object.values(metrics);
  if (!first || others.length === 0) return [];
  return first.attributes.filter((name) =>
    others.every(({ attributes }) => attributes.includes(name)),
  );
}

function configKeys(module: PluginModule): ConfigKey[] {
  const { name } = module.metadata;
  const schema = schemaOf(schemaOf(agentJsonSchema([module]), 'plugins'), name);
  const defaults = asWritten(toAgentConfig(agentSchema([module]).parse({})));
  const own = (defaults.plugins as Readonly<Record<string, unknown>>)[name];
  return keysOf(schema ?? {}, own, '').filter(({ key }) => !key.startsWith('metrics.'));
}

function keysOf(schema: JsonSchema, values: unknown, prefix: string): ConfigKey[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => {
    const value = (values as Readonly<Record<string, unknown>> | undefined)?.[name];
    const key = prefix + name;
    if (inner.properties && key !== 'metrics') return keysOf(inner, value, `${key}.`);
    const { description = '' } = inner;
    return [{ key, type: typeText(inner), default: printed(inner, value), description }];
  });
}

function typeText(schema: JsonSchema): string {
  if (schema['x-kind']) return schema['x-kind'];
  if (schema.enum) return schema.enum.map(String).join(' | ');
  if (schema.type === 'array') return `list of ${typeText(schema.items ?? {})}`;
  if (schema.anyOf) return schema.anyOf.map(typeText).join(' | ');
  return { object: 'section', string: 'text' }[String(schema.type)] ?? String(schema.type ?? 'any');
}
