import { stringify } from 'yaml';
import { wrapText } from '../cli/text.js';
import { agentJsonSchema, type JsonSchema } from '../config/json-schema.js';
import { asWritten, printed, schemaOf } from '../config/printed.js';
import { agentSchema, toAgentConfig } from '../config/schema.js';
import type { PluginModule } from '../plugin.js';

const HEAD = `# yaml-language-server: $schema=gen/agent.schema.json
#
# The configuration of mem-watcher: every key with its default. Keys without a default are
# commented out. What is left out takes its default, so a file of your own can be short.
#
# Durations carry their unit (250ms, 10s, 5m, 1h), sizes too (512KiB, 64MiB; a plain number is
# bytes). In any value, \${env:NAME}, \${env:NAME:-default} and \${file:PATH} are replaced; a relative
# PATH begins at this file's folder, and $\${ stands for \${ itself.
#
# A mistake stops the start, with its line. To try a change: mem-watcher check --config FILE.
# SIGHUP reloads; if the new file does not work, the old configuration stays in force.
#
# This file is printed by npm run gen from the schema; copy it to /etc/mem-watcher/agent.yaml to
# change it.
`;

/** The documented default configuration of these plugins. */
export function agentYaml(plugins: readonly PluginModule[]): string {
  const lines = section(agentJsonSchema(plugins), shownDefaults(plugins), 0);
  return `${HEAD}\n${lines.join('\n').trim()}\n`;
}

/** Every default, as YAML has it. */
export function shownDefaults(plugins: readonly PluginModule[]): Values {
  const config = toAgentConfig(agentSchema(plugins).parse(SHOWN));
  return printed(agentJsonSchema(plugins), asWritten(config)) as Values;
}

/** The exporter that is there without being named, named so that its keys are seen. */
const SHOWN = { exporters: { otlp: { default: {} } } };

type Values = Readonly<Record<string, unknown>>;

function section(schema: JsonSchema, values: Values, depth: number): string[] {
  const known = Object.keys(schema.properties ?? {});
  const keys = [...known, ...Object.keys(values).filter((key) => !known.includes(key))];
  return keys.flatMap((key) => entry(key, schemaOf(schema, key) ?? {}, values[key], depth));
}

function entry(key: string, schema: JsonSchema, value: unknown, depth: number): string[] {
  const indent = '  '.repeat(depth);
  // Air between sections of the first two levels.
  const air = depth === 0 || (depth === 1 && isSection(value)) ? [''] : [];
  const lines = [...air, ...comment(schema, indent)];
  if (value === undefined) {
    const byDefault = schema.default === undefined ? '' : ` ${inline(schema.default)}`;
    return [...lines, `${indent}# ${key}:${byDefault}`];
  }
  if (isSection(value) && (schema.properties || Object.keys(value).length > 0)) {
    return [...lines, `${indent}${key}:`, ...section(schema, value, depth + 1)];
  }
  return [...lines, `${indent}${key}: ${inline(value)}`];
}

const isSection = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const inline = (value: unknown) =>
  stringify(value, { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false }).trim();

function comment({ description, enum: values }: JsonSchema, indent: string): string[] {
  const choice = values ? `one of ${values.join(', ')}` : undefined;
  const text = [description, choice].filter((part) => part !== undefined).join('; ');
  return text === '' ? [] : wrapText(text, 98 - indent.length).map((line) => `${indent}# ${line}`);
}
