// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the notation of the configuration
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pool } from '../../test/fakes/plugin.js';
import { MemWatcherError } from '../errors.js';
import { type LoadOptions, loadConfig } from './load.js';
import { ConfigError } from './problem.js';

const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-config-'));
after(() => rmSync(folder, { recursive: true }));

const file = join(folder, 'agent.yaml');
writeFileSync(join(folder, 'token'), 's3cret\n');

function load(yaml: string, options: Partial<LoadOptions> = {}) {
  writeFileSync(file, yaml);
  return loadConfig({ file, env: {}, root: folder, plugins: [pool], ...options });
}

/** The messages, without the folder. */
function mistakes(yaml: string, options?: Partial<LoadOptions>): string[] {
  try {
    load(yaml, options);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.replaceAll(`${folder}/`, '').split('\n');
  }
  return [];
}

/** YAML → every line that is printed. */
const table: readonly [what: string, yaml: string, lines: readonly string[]][] = [
  [
    'an unknown key',
    'intervall: 5s\n',
    ['agent.yaml:1:1: unknown key `intervall`; did you mean `interval`?'],
  ],
  [
    'an unknown key that is near to none',
    'kernel:\n  zzz: 1\n',
    ['agent.yaml:2:3: unknown key `kernel.zzz`; valid: btf, profiles'],
  ],
  [
    'a plugin that does not exist',
    'plugins:\n  pol: {}\n',
    ['agent.yaml:2:3: unknown plugin `plugins.pol`; did you mean `pool`?'],
  ],
  [
    "a key that is another plugin's",
    'plugins:\n  pool:\n    owner: [a]\n',
    ['agent.yaml:3:5: unknown key `plugins.pool.owner`; did you mean `owners`?'],
  ],
  [
    'a metric that does not exist',
    'plugins:\n  pool:\n    metrics:\n      memwatcher.pool.sizes: true\n',
    [
      'agent.yaml:4:7: unknown metric `plugins.pool.metrics.memwatcher.pool.sizes`; ' +
        'did you mean `memwatcher.pool.size`?',
    ],
  ],
  [
    'a duration without a unit',
    'interval: 10\n',
    [
      'agent.yaml:1:11: `interval` must be a duration: a number and its unit (ms, s, m, h, d), ' +
        'for instance 10s, got 10',
    ],
  ],
  [
    'a duration of another unit',
    'interval: 10 parsecs\n',
    [
      'agent.yaml:1:11: `interval` must be a duration: a number and its unit (ms, s, m, h, d), ' +
        'for instance 10s, got "10 parsecs"',
    ],
  ],
  [
    'a duration that is too short',
    'interval: 99ms\n',
    ['agent.yaml:1:11: `interval` must be at least 100ms, got "99ms"'],
  ],
  [
    'a size that is none',
    'plugins:\n  pool: {limit: lots}\n',
    [
      'agent.yaml:2:17: `plugins.pool.limit` must be a size: a number and its unit ' +
        '(B, KiB, MiB, GiB), for instance 64MiB, got "lots"',
    ],
  ],
  [
    'a size that is too small',
    'plugins:\n  pool: {limit: 1KiB}\n',
    ['agent.yaml:2:17: `plugins.pool.limit` must be at least 4KiB, got "1KiB"'],
  ],
  [
    'a number out of range',
    'exporters:\n  prometheus:\n    port: 70000\n',
    ['agent.yaml:3:11: `exporters.prometheus.port` must be at most 65535, got 70000'],
  ],
  [
    'text for a switch',
    'exporters: {prometheus: {enabled: "no"}}\n',
    ['agent.yaml:1:35: `exporters.prometheus.enabled` must be true or false, got "no"'],
  ],
  [
    'a list for a section',
    'log: [debug]\n',
    ['agent.yaml:1:6: `log` must be a section with keys, got a list'],
  ],
  [
    'a number for text',
    'resource:\n  rack: 7\n',
    ['agent.yaml:2:9: `resource.rack` must be text, got 7'],
  ],
  [
    'an impossible choice',
    'log: {level: verbose}\n',
    ['agent.yaml:1:14: `log.level` cannot be "verbose"; valid: debug, info, warn, error'],
  ],
  [
    'an item of a list',
    'exporters: {otlp: {default: {signals: [metrics, trace]}}}\n',
    [
      'agent.yaml:1:49: `exporters.otlp.default.signals.1` cannot be "trace"; did you mean `traces`?',
    ],
  ],
  [
    'an endpoint without a scheme',
    'exporters: {otlp: {default: {endpoint: "localhost:4318"}}}\n',
    [
      'agent.yaml:1:40: `exporters.otlp.default.endpoint` must be a URL such as ' +
        'http://localhost:4318, got "localhost:4318"',
    ],
  ],
  [
    'an exporter that sends nowhere',
    'exporters: {otlp: {second: {}}}\n',
    [
      'agent.yaml:1:28: `exporters.otlp.second` needs an endpoint: only the one named default ' +
        'may take it from OTEL_*',
    ],
  ],
  [
    'a variable that is not set',
    'interval: ${env:PERIOD}\n',
    [
      'agent.yaml:1:11: the environment variable PERIOD is not set; set it, or write ' +
        '`${env:PERIOD:-default}`',
    ],
  ],
  [
    'a reference to nothing known',
    'interval: ${PERIOD}\n',
    ['agent.yaml:1:11: unknown reference `${PERIOD}`; did you mean `${env:PERIOD}`?'],
  ],
  [
    'a reference without an end',
    'interval: ${env:PERIOD\n',
    ['agent.yaml:1:11: `${env:PERIOD` has no `}`'],
  ],
  [
    'a duplicate key',
    'interval: 1s\ninterval: 2s\n',
    ['agent.yaml:2:1: duplicate key: it was set above, and only one can hold'],
  ],
  [
    'a second document',
    'interval: 1s\n---\ninterval: 2s\n',
    ['agent.yaml:2:1: a second document begins here (`---`); the configuration is one document'],
  ],
  ['a tab', 'log:\n\tlevel: info\n', ['agent.yaml:2:1: a tab cannot indent in YAML; use spaces']],
  ['an empty file', '', ['agent.yaml:1:1: the file is empty; write `{}` to take every default']],
  [
    'a file of comments',
    '# later\n',
    ['agent.yaml:1:1: the file is empty; write `{}` to take every default'],
  ],
  ['a key that is a list', '? [a, b]\n: 1\n', ['agent.yaml:1:3: a key must be text']],
  ['an alias of nothing', 'resource: {a: *x}\n', ['agent.yaml:1:15: no anchor &x stands above']],
  [
    'an alias within itself',
    'resource: &r\n  a: *r\n',
    ['agent.yaml:2:6: *r would contain itself'],
  ],
  [
    'a list',
    '- 1\n',
    ['agent.yaml:1:1: the configuration must be a section with keys, got a list'],
  ],
  [
    'several mistakes, in the order of the file',
    'zzz: 1\nlog:\n  level: 5\ninterval: x\n',
    [
      'agent.yaml:1:1: unknown key `zzz`; valid: interval, collect_timeout, exporters, resource, ' +
        'kernel, log, start_timeout, shutdown_timeout, plugins',
      'agent.yaml:3:10: `log.level` cannot be 5; valid: debug, info, warn, error',
      'agent.yaml:4:11: `interval` must be a duration: a number and its unit (ms, s, m, h, d), ' +
        'for instance 10s, got "x"',
    ],
  ],
];

for (const [what, yaml, lines] of table) {
  test(`a mistake is told with its place: ${what}`, () => {
    assert.deepEqual(mistakes(yaml), lines);
  });
}

test('YAML that is no YAML is told with its place', () => {
  assert.match(mistakes('log: {level: info\n')[0] ?? '', /^agent\.yaml:\d+:\d+: /);
});

test('an anchor is a value wherever it is used, and a mistake in it is told where it is used', () => {
  const yaml = 'exporters:\n  otlp:\n    a: &a {endpoint: http://a, timeout: 1s}\n    b: *a\n';
  assert.equal(load(yaml).config.exporters.otlp.b?.timeout, 1000);
});

test('strategies are checked where they are known', () => {
  const strategies = () => ['slow', 'fast'];
  const yaml = 'plugins: {pool: {strategy: fsat}}\n';
  assert.deepEqual(mistakes(yaml, { strategies }), [
    'agent.yaml:1:28: `plugins.pool.strategy` cannot be "fsat"; did you mean `fast`?',
  ]);
  assert.equal(
    load('plugins: {pool: {strategy: fast}}\n', { strategies }).config.plugins.pool?.strategy,
    'fast',
  );
});

test('{} takes every default', () => {
  const { config } = load('{}\n');
  assert.equal(config.interval, 10_000);
  assert.deepEqual(config.plugins.pool, {
    enabled: true,
    strategy: 'auto',
    metrics: {},
    options: { owners: ['init'], limit: 1024 ** 2 },
  });
});

test('a section whose keys are all commented out is an empty one', () => {
  const { config } = load('log:\n  # level: debug\nplugins:\n  pool:\n    metrics:\n');
  assert.equal(config.log.level, 'info');
  assert.deepEqual(config.plugins.pool?.metrics, {});
});

test('references are replaced in values, whose type is what the key asks for', () => {
  const yaml = [
    'interval: ${env:SECONDS}s',
    'exporters:',
    '  prometheus: {port: "${env:PORT}", enabled: "${env:ON:-false}", host: "${env:NONE:-::1}"}',
    '  otlp: {default: {headers: {authorization: "Bearer ${file:token}", key: "${env:PORT}"}}}',
    'resource: {plain: "$${env:PORT}"}',
    '',
  ].join('\n');
  const { config } = load(yaml, { env: { SECONDS: '3', PORT: '9999' } });
  assert.equal(config.interval, 3000);
  assert.deepEqual(config.exporters.prometheus, { port: 9999, enabled: false, host: '::1' });
  assert.deepEqual(config.exporters.otlp.default?.headers, {
    authorization: 'Bearer s3cret',
    key: '9999',
  });
  assert.equal(config.resource.plain, '${env:PORT}');
});

test('what a variable holds is never read as YAML, nor as a reference', () => {
  const hostile = 'a: 1\n${file:/etc/passwd}';
  const { config } = load('resource: {a: "${env:HOSTILE}"}\n', { env: { HOSTILE: hostile } });
  assert.deepEqual(config.resource, { a: hostile });
});

test('a duration that no timer can wait for is a mistake', () => {
  assert.deepEqual(mistakes('interval: 25d\nshutdown_timeout: 1000h\n'), [
    'agent.yaml:1:11: `interval` must be at most 576h, got "25d"',
    'agent.yaml:2:19: `shutdown_timeout` must be at most 576h, got "1000h"',
  ]);
  assert.equal(load('interval: 24d\n').config.interval, 24 * 86_400_000);
});

test('headers that HTTP cannot carry are a mistake, and not shown', () => {
  const yaml =
    'exporters: {otlp: {default: {headers: {"my key": hidden, k: "hid\\nden", a-b: "x=y z"}}}}\n';
  const lines = mistakes(yaml);
  assert.match(lines[0] ?? '', /^agent.yaml:1:.*headers.my key` is not a name that an HTTP header/);
  assert.match(lines[1] ?? '', /^agent.yaml:1:.*headers.k` holds what no HTTP header can/);
  assert.equal(lines.length, 2);
  assert.doesNotMatch(lines.join('\n'), /hid/);
});

test('headers written as one text are not shown in a mistake', () => {
  const yaml = 'exporters: {otlp: {default: {headers: "api-key=hidden"}}}\n';
  const [line = ''] = mistakes(yaml);
  assert.match(line, /`exporters.otlp.default.headers` must be a section with keys/);
  assert.doesNotMatch(line, /hidden/);
});

test('what came from outside is not shown in a mistake, nor are header values', () => {
  const yaml = [
    'interval: ${env:SECRET}',
    'log: {level: "${env:SECRET}"}',
    'exporters:',
    '  prometheus: {port: "${env:SECRET}"}',
    '  otlp: {default: {headers: {k: 12345}, endpoint: "ftp://me:12345@host"}}',
    '',
  ].join('\n');
  const lines = mistakes(yaml, { env: { SECRET: '123456' } });
  assert.equal(lines.length, 5);
  assert.doesNotMatch(lines.join('\n'), /12345/);
});

test('the command line is laid over the file, and its mistakes are told by option', () => {
  const overrides = [{ origin: '--interval', value: { interval: '1s' } }];
  assert.equal(load('interval: 5s\nlog: {level: warn}\n', { overrides }).config.interval, 1000);
  assert.equal(load('interval: 5s\nlog: {level: warn}\n', { overrides }).config.log.level, 'warn');
  const wrong = [{ origin: '--interval', value: { interval: 'soon' } }];
  assert.match(
    mistakes('interval: 5s\n', { overrides: wrong })[0] ?? '',
    /^--interval: `interval` must be a duration/,
  );
});

test('the file is found: option, variable, then the one beside the program', () => {
  const code = (expected: string) => (error: unknown) =>
    error instanceof MemWatcherError && error.code === expected;
  const options = { env: {}, root: join(folder, 'nowhere'), plugins: [] };
  assert.throws(
    () => loadConfig({ ...options, file: join(folder, 'none.yaml') }),
    code('CONFIG_NOT_FOUND'),
  );
  assert.throws(
    () => loadConfig({ ...options, env: { MEM_WATCHER_CONFIG: folder } }),
    code('CONFIG_INVALID'),
  );
  writeFileSync(file, '{}');
  assert.equal(loadConfig({ ...options, env: { MEM_WATCHER_CONFIG: file } }).file, file);
});
