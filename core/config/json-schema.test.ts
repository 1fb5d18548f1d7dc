import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { pool } from '../../test/fakes/plugin.js';
import { agentYaml, shownDefaults } from '../gen/agent-yaml.js';
import { agentJsonSchema, editorSchema, type JsonSchema } from './json-schema.js';

const strategies = () => ['look', 'ask'];
const schema = editorSchema(agentJsonSchema([pool], strategies), shownDefaults([pool]));

/** As an editor checks it; what our schemas use of JSON Schema. */
function accepts(schema: JsonSchema, value: unknown): boolean {
  const { anyOf, type, properties, additionalProperties: others, items, pattern } = schema;
  if (anyOf && !anyOf.some((choice) => accepts(choice, value))) return false;
  if (schema.enum && !schema.enum.includes(value)) return false;
  if (
    type &&
    ![type].flat().includes(typeOf(value)) &&
    !(type === 'number' && typeOf(value) === 'integer')
  ) {
    return false;
  }
  if (typeof value === 'string')
    return pattern === undefined || new RegExp(pattern, 'u').test(value);
  if (Array.isArray(value)) return !items || value.every((item) => accepts(items, item));
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, item]) => {
    const inner = properties?.[key] ?? others ?? true;
    return typeof inner === 'boolean' ? inner : accepts(inner, item);
  });
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

test('the shipped configuration is valid in an editor', () => {
  assert.ok(accepts(schema, parse(agentYaml([pool]))));
});

for (const [yaml, valid] of [
  ['interval: 5s', true],
  ['interval: 5', false],
  ['interval: soon', false],
  ['interval: "${' + 'env:PERIOD}"', true],
  ['intervall: 5s', false],
  ['exporters: {prometheus: {port: 9464}}', true],
  ['exporters: {prometheus: {port: "${' + 'env:PORT}"}}', true],
  ['exporters: {prometheus: {port: high}}', false],
  ['exporters: {otlp: {any: {endpoint: http://x, signals: [logs]}}}', true],
  ['exporters: {otlp: {any: {signals: [smoke]}}}', false],
  ['plugins: {pool: {limit: 64KiB, strategy: ask}}', true],
  ['plugins: {pool: {limit: 65536}}', true],
  ['plugins: {pool: {strategy: guess}}', false],
  ['plugins: {pool: {metrics: {memwatcher.pool.size: false}}}', true],
  ['plugins: {pool: {metrics: {memwatcher.pool.depth: false}}}', false],
  ['plugins: {well: {}}', false],
  ['plugins:', true],
] as const) {
  test(`an editor ${valid ? 'accepts' : 'marks'} ${yaml}`, () => {
    assert.equal(accepts(schema, parse(yaml)), valid);
  });
}

test('every key has a description, and its default as YAML has it', () => {
  const nameless: string[] = [];
  const walk = ({ properties = {} }: JsonSchema, path: string) => {
    for (const [key, inner] of Object.entries(properties)) {
      if (!inner.description) nameless.push(path + key);
      walk(inner, `${path}${key}.`);
      if (typeof inner.additionalProperties === 'object')
        walk(inner.additionalProperties, `${path}${key}.*.`);
    }
  };
  walk(schema, '');
  assert.deepEqual(nameless, []);
  assert.equal(schema.properties?.interval?.default, '10s');
  assert.equal(schema.properties?.plugins?.properties?.pool?.properties?.limit?.default, '1MiB');
});
