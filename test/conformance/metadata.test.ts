import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Metadata } from '../../core/metadata.js';
import { selfMetadata } from '../../core/telemetry/self.metadata.js';
import { plugins } from './harness.js';

/** Names of OpenTelemetry's semantic conventions that may be used as they stand. */
const CONVENTION = new Set([
  'process.context_switches',
  'process.cpu.time',
  'process.memory.usage',
  'process.memory.virtual',
  'process.open_file_descriptor.count',
  'process.paging.faults',
  'process.uptime',
  'system.memory.limit',
  'system.memory.linux.available',
  'system.memory.linux.hugepages.usage',
  'system.memory.linux.shared',
  'system.memory.linux.slab.usage',
  'system.memory.usage',
  'system.paging.operations',
  // attributes
  'container.id',
  'cpu.mode',
  'error.type',
  'k8s.pod.uid',
  'process.command',
  'process.command_line',
  'process.context_switch.type',
  'process.creation.time',
  'process.executable.name',
  'process.linux.cgroup',
  'process.pid',
  'code.stacktrace',
  'system.memory.linux.slab.state',
  'system.memory.state',
  'system.paging.direction',
  'system.paging.fault.type',
  'thread.id',
  'thread.name',
]);

/** The units in use, in UCUM's case-sensitive spelling. */
const UNIT = /^(By|s|1|\{[a-z]+(_[a-z]+)*\})(\/(s|\{[a-z_]+\}))?$/;
const NAME = /^[a-z][a-z0-9]*(_[a-z0-9]+)*(\.[a-z][a-z0-9]*(_[a-z0-9]+)*)+$/;

const ours = (name: string) => name.startsWith('memwatcher.') || CONVENTION.has(name);
const isSentence = (text: string) => /^[^\s].*[^.\s]$/s.test(text) && text.length >= 4;

const everything: readonly Metadata[] = [...plugins.map(({ metadata }) => metadata), selfMetadata];

for (const metadata of everything) {
  const { name, metrics, attributes, events, spans, config } = metadata;
  describe(`${name}: its metadata`, () => {
    test('its name is a word that a folder, a YAML key and a command can have', () => {
      assert.match(name, /^[a-z][a-z0-9]*$/);
      assert.ok(metadata.title.length > 0);
      assert.ok(metadata.description.length > 40, 'one paragraph for people');
    });

    for (const [metric, spec] of Object.entries(metrics)) {
      test(`the metric ${metric}`, () => {
        assert.match(metric, NAME);
        assert.ok(ours(metric), 'an invented name belongs to memwatcher.*');
        assert.match(spec.unit, UNIT);
        assert.ok(isSentence(spec.description), 'a description without a full stop');
        assert.doesNotMatch(metric, /[._]total$/);
        const last = metric.split('.').at(-1) ?? '';
        if (spec.kind === 'updowncounter') {
          assert.doesNotMatch(last, /[^su]s$/, 'what goes up and down is not plural');
        }
        assert.doesNotMatch(
          last,
          /(^|_)(bytes|seconds|pages)$/,
          'the unit is not part of the name',
        );
        assert.equal(new Set(spec.attributes).size, spec.attributes.length);
        for (const key of spec.attributes) {
          assert.ok(key in attributes, `${key} is not declared`);
          const type = attributes[key]?.type ?? '';
          assert.doesNotMatch(type, /\[\]$/, `${key}: a series is told by scalars`);
        }
      });
    }

    test('its attributes: names, descriptions, each used', () => {
      const used = new Set(
        [...Object.values(metrics), ...Object.values(events), ...Object.values(spans)].flatMap(
          ({ attributes }) => attributes,
        ),
      );
      for (const [key, spec] of Object.entries(attributes)) {
        assert.match(key, NAME);
        assert.ok(ours(key), `${key}: an invented name belongs to memwatcher.*`);
        assert.ok(isSentence(spec.description), key);
        assert.ok(used.has(key), `${key} is used by nothing`);
        assert.ok(spec.values === undefined || spec.type === 'string', key);
      }
    });

    const told = Object.entries({ ...events, ...spans });
    const silent = told.length === 0 && 'it has neither';
    test('its events and spans', { skip: silent }, () => {
      for (const [event, spec] of told) {
        assert.match(event, NAME);
        assert.ok(event.startsWith('memwatcher.'), event);
        assert.ok(isSentence(spec.description), event);
        for (const key of spec.attributes) assert.ok(key in attributes, `${key} is not declared`);
      }
    });

    test('its configuration: every key has a name in snake case, a description and a default', () => {
      assert.ok(config.safeParse({}).success, 'nothing given must be valid');
      for (const [key, schema] of Object.entries(config.shape)) {
        assert.match(key, /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
        assert.ok(!['enabled', 'strategy', 'metrics'].includes(key), `${key} is every plugin's`);
        const { description } = schema as { description?: string };
        assert.ok(description, `${key} has no description`);
      }
    });
  });
}

test('no two plugins have a name or a flag in common', () => {
  const unique = (names: readonly string[]) => assert.deepEqual([...new Set(names)], names);
  unique(everything.map(({ name }) => name));
  unique(plugins.flatMap(({ view }) => view.alias ?? []));
});

test('a metric that several plugins declare is one and the same', () => {
  const known = new Map<string, object>();
  for (const { name, metrics, attributes } of everything) {
    for (const [metric, { enabled: _, ...spec }] of Object.entries(metrics)) {
      // Whichever of them reports it, a backend sees the same series.
      const whole = { spec, attributes: spec.attributes.map((key) => attributes[key]) };
      assert.deepEqual(whole, known.get(metric) ?? whole, `${metric} of ${name}`);
      known.set(metric, whole);
    }
  }
});

test('what several plugins call by one name has one type', () => {
  const types = new Map<string, string>();
  for (const { name, attributes } of everything) {
    for (const [key, { type }] of Object.entries(attributes)) {
      assert.equal(types.get(key) ?? type, type, `${key} of ${name}`);
      types.set(key, type);
    }
  }
});
