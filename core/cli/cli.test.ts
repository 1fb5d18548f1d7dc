import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FakeWorld, type FakeWorldOptions } from '../../test/fakes/cli.js';
import { Pool } from '../../test/fakes/plugin.js';
import type { AgentConfig } from '../config/schema.js';
import { runCli } from './cli.js';

const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-cli-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'agent.yaml');
writeFileSync(file, 'interval: 100ms\n');

async function run(line: string, options: FakeWorldOptions = {}) {
  const world = new FakeWorld(folder, { env: { MEM_WATCHER_CONFIG: file }, ...options });
  const code = await runCli(line.split(' '), world.context);
  const { stdout, stderr } = world;
  return { code, stdout: stdout.text, stderr: stderr.text, world };
}

const records = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const broken: FakeWorldOptions = {
  build: () => ({
    start: () => {
      throw new Error('the verifier refused it');
    },
    collect: () => undefined,
  }),
};

const degraded: FakeWorldOptions = {
  build: (_, { health }) => {
    health.degraded('lost', 'records were lost');
    return new Pool({ owners: ['init'] });
  },
};

const lacking: FakeWorldOptions = {
  build: (_, { health }) => {
    health.lacks(['wake-ups', 'sizes']);
    return new Pool({ owners: ['init'] });
  },
};

test('--help on stdout with the commands, the aliases and the exit codes', async () => {
  const { code, stdout, stderr } = await run('--help');
  assert.equal(code, 0);
  assert.equal(stderr, '');
  for (const word of [
    'run',
    'check',
    'pool',
    'plugins',
    'print-config',
    'completion',
    '-o, --pool',
    'Exit codes',
  ]) {
    assert.ok(stdout.includes(word), word);
  }
});

test('--version', async () => {
  assert.equal((await run('--version')).stdout, '1.2.3\n');
});

for (const [line, words] of [
  ['chek', /unknown command 'chek'[\s\S]*Did you mean check/],
  ['pool --intreval 1s', /unknown option '--intreval'[\s\S]*Did you mean --interval/],
  ['pool --count 0', /whole number from 1/],
  ['pool --interval soon', /^--interval: `interval` must be a duration/],
  ['pool --interval', /argument missing/],
  ['pool extra', /too many arguments/],
  ['plugins poool', /did you mean `pool`/],
  ['-x', /no tool here goes by -x/],
  ['run --config /nowhere/agent.yaml', /no such file/],
] as const) {
  test(`wrong usage ends with 2, on stderr alone: ${line}`, async () => {
    const { code, stdout, stderr } = await run(line);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, words);
  });
}

test('a mistake in the configuration ends every command with 2 and its place', async () => {
  const wrong = join(folder, 'wrong.yaml');
  writeFileSync(wrong, 'intervall: 1s\n');
  for (const command of ['run', 'check', 'pool', 'print-config']) {
    const { code, stderr } = await run(`${command} --config ${wrong}`);
    assert.equal(code, 2, command);
    assert.equal(stderr, `${wrong}:1:1: unknown key \`intervall\`; did you mean \`interval\`?\n`);
  }
});

test('a live view off a terminal is plain blocks, one a collection', async () => {
  const { code, stdout } = await run('pool --count 2 --interval 10ms');
  assert.equal(code, 2, 'the least interval is 100 ms');
  assert.equal(stdout, '');
  const good = await run('pool --count 2 --interval 0.1');
  assert.equal(good.code, 0);
  assert.doesNotMatch(good.stdout, /\p{Cc}(?<!\n)/u);
  assert.match(
    good.stdout,
    /^\S+Z\n\nSIZE {2}OWNER\n4096 {2}init\n\n\S+Z\n\nSIZE {2}OWNER\n8192 {2}init\n$/,
  );
});

test('--once prints one block without its time', async () => {
  assert.equal((await run('pool --once')).stdout, 'SIZE  OWNER\n4096  init\n');
});

test('an option of the view changes the configuration; the original spelling as well', async () => {
  for (const line of ['pool --pid a b --once --json', '-o -P a -P b --once --json']) {
    const { code, stdout } = await run(line);
    assert.equal(code, 0);
    assert.deepEqual(
      records(stdout).map(({ name, attributes, value }) => [name, attributes, value]),
      ['a', 'b'].map((owner) => ['memwatcher.pool.size', { 'memwatcher.pool.owner': owner }, 4096]),
    );
  }
});

test('a live view of a plugin that the configuration switches off', async () => {
  const off = join(folder, 'off.yaml');
  writeFileSync(off, 'plugins: {pool: {enabled: false}}\n');
  assert.equal((await run(`pool --once --config ${off}`)).code, 0);
  const { code, stderr } = await run(`run --config ${off}`);
  assert.equal(code, 2);
  assert.match(stderr, /no plugin is enabled/);
});

test('a plugin that cannot start ends its view, and run, with 1 and the reason', async () => {
  for (const command of ['pool', 'run']) {
    const { code, stderr } = await run(command, broken);
    assert.equal(code, 1, command);
    assert.match(stderr, /the verifier refused it/);
    assert.match(stderr, /mem-watcher doctor/);
  }
});

test('check tells each plugin, and its exit code follows the worst', async () => {
  const good = await run('check --strict');
  assert.equal(good.code, 0);
  assert.match(good.stdout, /pool {4}ok/);
  assert.equal((await run('check', degraded)).code, 0);
  const strict = await run('check --strict', degraded);
  assert.equal(strict.code, 3);
  assert.match(strict.stdout, /pool: records were lost/);
  assert.equal((await run('check', broken)).code, 1);
  assert.equal((await run('check --strict', broken)).code, 3);
  const [record] = records((await run('check --json', broken)).stdout);
  assert.deepEqual([record?.plugin, record?.status, record?.points], ['pool', 'failed', 0]);
  assert.match(String(record?.reason), /verifier/);
});

test('what a kernel does not give is said once and fails nothing', async () => {
  const words = 'not on this kernel: wake-ups, sizes';
  const strict = await run('check --strict', lacking);
  assert.equal(strict.code, 0);
  assert.ok(strict.stdout.includes(`\npool: ${words}\n`));
  const [record] = records((await run('check --json', lacking)).stdout);
  assert.deepEqual([record?.status, record?.lacks], ['ok', ['wake-ups', 'sizes']]);
  for (const line of ['pool --once', 'pool --json --count 2 --interval 0.1']) {
    const { code, stderr } = await run(line, lacking);
    assert.equal(code, 0);
    assert.equal(stderr, `pool: ${words}\n`, line);
  }
});

test('a live view on a terminal says what the kernel does not give under its head', async () => {
  const world = new FakeWorld(folder, { env: { MEM_WATCHER_CONFIG: file }, ...lacking });
  world.stdout.isTTY = true;
  const code = runCli(['pool', '--interval', '0.1'], world.context);
  await world.stdout.until(/not on this kernel: wake-ups, sizes[\s\S]*SIZE/);
  world.interrupt();
  assert.equal(await code, 0);
  assert.equal(world.stderr.text, '');
});

for (const command of ['check', 'pool --once']) {
  test(`--btf is laid over the configuration: ${command}`, async () => {
    const world = new FakeWorld(folder, { env: { MEM_WATCHER_CONFIG: file } });
    const seen: (string | undefined)[] = [];
    const { createAgent } = world.context;
    const context = {
      ...world.context,
      createAgent: (config: AgentConfig) => {
        seen.push(config.kernel.btf);
        return createAgent(config);
      },
    };
    assert.equal(await runCli([...command.split(' '), '--btf', '/boot/vmlinux.btf'], context), 0);
    assert.deepEqual(seen, ['/boot/vmlinux.btf']);
  });
}

test('check leaves nothing attached', async () => {
  const { world } = await run('check');
  assert.deepEqual(
    world.agents.map((agent) => agent.statuses.map(({ state }) => state)),
    [['stopped']],
  );
});

test('run off a terminal: one JSON line a collection, until it is interrupted', async () => {
  const world = new FakeWorld(folder, { env: { MEM_WATCHER_CONFIG: file } });
  const code = runCli(['run'], world.context);
  await world.stdout.until(/"collection":2/);
  world.interrupt();
  assert.equal(await code, 0);
  const lines = records(world.stdout.text);
  assert.deepEqual(
    lines.slice(0, 2).map(({ collection, pool }) => [collection, pool]),
    [
      [1, { size: 4096 }],
      [2, { size: 8192 }],
    ],
  );
  for (const { plugins } of lines) {
    const { pool } = plugins as { pool: Record<string, unknown> };
    assert.deepEqual([pool.status, pool.points], ['ok', 1]);
  }
  assert.equal(world.agents[0]?.statuses[0]?.state, 'stopped');
});

test('run says in each collection’s line what a kernel does not give', async () => {
  const world = new FakeWorld(folder, { env: { MEM_WATCHER_CONFIG: file }, ...lacking });
  const code = runCli(['run'], world.context);
  await world.stdout.until(/"collection":1/);
  world.interrupt();
  assert.equal(await code, 0);
  const [first] = records(world.stdout.text) as { plugins: { pool: Record<string, unknown> } }[];
  const { status, lacks } = first?.plugins.pool ?? {};
  assert.deepEqual([status, lacks], ['ok', ['wake-ups', 'sizes']]);
});

test('run --json: every point, one a line', async () => {
  const world = new FakeWorld(folder, { env: { MEM_WATCHER_CONFIG: file } });
  const code = runCli(['run', '--json'], world.context);
  await world.stdout.until(/8192/);
  world.interrupt();
  assert.equal(await code, 0);
  const points = records(world.stdout.text).filter(({ name }) => name !== undefined);
  assert.deepEqual(
    points.slice(0, 2).map(({ value }) => value),
    [4096, 8192],
  );
});

for (const command of ['pool', 'run']) {
  test(`${command} --json: events and spans in the same stream; without --json no one takes spans`, async () => {
    const ids: unknown[] = [];
    const eventful: FakeWorldOptions = {
      build: (_, { emitter }) => ({
        start: () => {
          const time = Date.UTC(2026, 10, 23);
          const span = { startTime: time, endTime: time + 5, attributes: {} as never };
          emitter.event('memwatcher.pool.exhausted', 'it is empty', {} as never, { time });
          ids.push(emitter.span('memwatcher.pool.wait' as never, span)?.spanId);
        },
        collect: () => ({ owners: ['init'], bytes: 1 }),
      }),
    };
    for (const flags of [['--json'], []]) {
      const env = { MEM_WATCHER_CONFIG: file };
      const world = new FakeWorld(folder, { env, ...eventful });
      const code = runCli([command, ...flags], world.context);
      await world.stdout.until(flags.length > 0 ? /"value":1/ : /1 +init|"collection":1/);
      world.interrupt();
      assert.equal(await code, 0);
      if (flags.length === 0) continue;
      const [event, span] = records(world.stdout.text).filter(({ plugin }) => plugin === 'pool');
      assert.deepEqual([event?.event, event?.severity], ['memwatcher.pool.exhausted', 'WARN']);
      assert.deepEqual([span?.span, span?.duration_seconds], ['memwatcher.pool.wait', 0.005]);
      assert.equal(span?.span_id, ids[0]);
    }
    assert.match(String(ids[0]), /^[0-9a-f]{16}$/);
    assert.equal(ids[1], undefined);
  });
}

test('SIGHUP: a good file is taken, a bad one is not, and the old one stays in force', async () => {
  const own = join(folder, 'reloaded.yaml');
  writeFileSync(own, 'interval: 100ms\n');
  const world = new FakeWorld(folder, { env: {} });
  const code = runCli(['run', '--json', '--config', own], world.context);
  await world.stdout.until(/"init"/);
  writeFileSync(own, 'interval: never\n');
  assert.equal(await world.reload(), false);
  writeFileSync(own, 'plugins: {pool: {enabled: false}}\n');
  assert.equal(await world.reload(), false, 'nothing would be watched');
  assert.equal(world.agents.length, 1);
  writeFileSync(own, 'interval: 100ms\nplugins: {pool: {owners: [second]}}\n');
  assert.equal(await world.reload(), true);
  await world.stdout.until(/"second"/);
  world.interrupt();
  assert.equal(await code, 0);
  assert.deepEqual(
    world.agents.map((agent) => agent.statuses[0]?.state),
    ['stopped', 'stopped'],
  );
});

test('print-config: YAML, or one JSON record', async () => {
  const { stdout } = await run('print-config');
  assert.match(stdout, /^# .*agent\.yaml\ninterval: 100ms\n/);
  assert.equal(records((await run('print-config --json')).stdout)[0]?.interval, '100ms');
});

test('plugins: a list, one in detail, NDJSON', async () => {
  assert.match((await run('plugins')).stdout, /pool {4}-o/);
  const { stdout } = await run('plugins pool');
  for (const word of [
    'memwatcher.pool.size',
    'By',
    'memwatcher.pool.exhausted',
    'owners',
    '["init"]',
    '1MiB',
  ]) {
    assert.ok(stdout.includes(word), word);
  }
  const [record] = records((await run('plugins --json')).stdout);
  assert.equal(record?.plugin, 'pool');
});

test('completion knows every command and option', async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await run(`completion ${shell}`);
    assert.equal(code, 0);
    for (const word of ['print-config', 'pool', 'interval', 'strict'])
      assert.ok(stdout.includes(word));
  }
});
