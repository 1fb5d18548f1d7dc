import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runCli } from '../../../core/cli/cli.js';
import { definePlugin, type Plugin } from '../../../core/plugin.js';
import type { PluginBindings } from '../../../core/plugin-runner.js';
import { FakeWorld } from '../../../test/fakes/cli.js';
import { pool } from '../../../test/fakes/plugin.js';
import { metadata } from '../metadata.js';
import type { LeakSnapshot } from '../model.js';
import { view } from '../view.js';
import { fakeSnapshot, fakeTarget } from './fake.js';
import { leaks } from './leaks.js';
import { originalText } from './original.js';

const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-leaks-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'agent.yaml');
writeFileSync(file, 'interval: 100ms\n');
const PID = String(process.pid);

/** Gives what `collect` says, and remembers what it was configured to do. */
class FakePlugin implements Plugin<LeakSnapshot> {
  rounds = 0;

  constructor(
    readonly bindings: PluginBindings,
    readonly snapshot: (round: number, plugin: FakePlugin) => LeakSnapshot,
  ) {}

  start() {}

  collect() {
    return this.snapshot(++this.rounds, this);
  }
}

const module = definePlugin<typeof metadata, LeakSnapshot>({
  metadata,
  Plugin: FakePlugin,
  report: () => undefined,
  view,
  commands: [leaks],
});

interface Run {
  readonly snapshot?: (round: number, plugin: FakePlugin) => LeakSnapshot;
  readonly prepare?: (world: FakeWorld) => void;
  readonly start?: () => void;
}

async function run(line: string, { snapshot = () => fakeSnapshot(), prepare, start }: Run = {}) {
  const made: FakePlugin[] = [];
  const world = new FakeWorld(folder, {
    env: { MEM_WATCHER_CONFIG: file },
    plugins: [pool, module],
    build: (_, bindings) => {
      const plugin = new FakePlugin(bindings, snapshot);
      if (start) plugin.start = start;
      made.push(plugin);
      return plugin;
    },
  });
  prepare?.(world);
  const code = await runCli(line.split(' '), world.context);
  return { code, world, plugin: made[0], out: world.stdout.text, err: world.stderr.text };
}

test('the command lays its targets and windows over the configuration', async () => {
  const { code, plugin, err } = await run(
    `leaks --pid ${PID} --executable shop --children --duration 600ms --sampling 64KiB --kernel`,
  );
  assert.equal(code, 0, err);
  const config = plugin?.bindings.config as Record<string, unknown> & {
    targets: { pid?: number; executable?: string; children: boolean }[];
    judging: { window: number };
    kernel: { enabled: boolean; window: number };
  };
  assert.deepEqual(
    config.targets.map(({ pid, executable, children }) => ({ pid, executable, children })),
    [
      { pid: process.pid, executable: undefined, children: true },
      { pid: undefined, executable: 'shop', children: true },
    ],
  );
  assert.equal(config.judging.window, 100, 'a twelfth of the duration, and not less than 100 ms');
  assert.equal(config.sampling, 65_536);
  assert.deepEqual([config.kernel.enabled, config.kernel.window], [true, 100]);
  assert.ok((plugin?.rounds ?? 0) >= 2, 'it looks several times');
});

test('off a terminal the table comes once, at the end, and progress on stderr', async () => {
  const { out, err } = await run(`leaks --pid ${PID} --duration 300ms`);
  assert.equal(out.match(/^Outstanding after/gm)?.length, 1);
  assert.match(
    out,
    /^confirmed +lost +98 % .*shop::Cart::add\(shop::Item const&\) \/src\/cart\.cc:88$/m,
  );
  assert.equal(err, '', 'a run of less than ten seconds has no line of progress');
});

test('-l PID prints the original text live until Ctrl-C, and the last state then', async () => {
  const bytes = (round: number) => {
    const snapshot = fakeSnapshot();
    const [first, ...rest] = snapshot.stacks;
    assert.ok(first);
    const grown = { ...first, reading: { ...first.reading, bytes: 7e6 + round } };
    return { ...snapshot, stacks: [grown, ...rest] };
  };
  const { code, out, plugin } = await run(`-l ${PID} --interval 200ms --window 500ms`, {
    snapshot: bytes,
    prepare: (world) => {
      void world.stdout.until(/(total_size=7\d+ [\s\S]*){3}/).then(() => world.interrupt());
    },
  });
  assert.equal(code, 0);
  const sizes = [...out.matchAll(/total_size=(7\d+) /g)].map(([, size]) => Number(size) - 7e6);
  assert.ok(sizes.length >= 4);
  assert.deepEqual(
    sizes,
    sizes.toSorted((a, b) => a - b),
  );
  assert.equal(sizes.at(-1), plugin?.rounds, 'the last is the last that was read');
  assert.ok(out.endsWith(originalText(bytes(plugin?.rounds ?? 0))));
});

test('json: changes of state when they happen, then a line a stack', async () => {
  const { out } = await run(`leaks --pid ${PID} --duration 300ms --format json`, {
    snapshot: (round, plugin) => {
      if (round === 2) {
        const emitter: { event(name: string, body: string, attributes: object): void } =
          plugin.bindings.emitter;
        emitter.event('memwatcher.memory_leak', 'it leaks', {
          'memwatcher.memory_leak.state': 'suspected',
        });
      }
      return fakeSnapshot();
    },
  });
  const records = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const [event, ...stacks] = records;
  assert.equal(event?.event, 'memwatcher.memory_leak');
  assert.deepEqual(event.attributes, { 'memwatcher.memory_leak.state': 'suspected' });
  assert.equal(stacks.length, fakeSnapshot().stacks.length);
  assert.ok(stacks.every((stack) => 'stack_id' in stack));
});

test('a binary format refuses a terminal, goes through a pipe, and into a file', async () => {
  const line = `leaks --pid ${PID} --duration 200ms --format pprof`;
  const refused = await run(line, {
    prepare: ({ stdout }) => {
      stdout.isTTY = true;
    },
  });
  assert.equal(refused.code, 2);
  assert.match(
    refused.err,
    /pprof is binary, and this is a terminal\n {2}--output FILE, or a pipe/,
  );
  const piped = await run(line);
  assert.equal(piped.out, '');
  assert.deepEqual([...(piped.world.stdout.bytes[0]?.subarray(0, 2) ?? [])], [0x1f, 0x8b]);
  const output = join(folder, 'leaks.pb.gz');
  const filed = await run(`${line} --output ${output}`, {
    prepare: ({ stdout }) => {
      stdout.isTTY = true;
    },
  });
  assert.equal(filed.code, 0);
  assert.deepEqual(readFileSync(output), Buffer.from(piped.world.stdout.bytes[0] ?? []));
});

test('on a terminal the table is redrawn with the progress, and the last report stays', async () => {
  const { out } = await run(`leaks --pid ${PID} --duration 400ms`, {
    prepare: ({ stdout }) => Object.assign(stdout, { isTTY: true, columns: 150, rows: 40 }),
  });
  assert.match(
    out,
    /0 s of 0 s, window 0\.1 s, 1\.2 M allocations, 1 stack suspected, 1 confirmed/,
  );
  const [, last = ''] = out.split('\x1b[?1049l');
  assert.match(last, /Outstanding after 42 s/);
});

test('a full disk ends it with 1, also when it is an event that does not fit', async () => {
  for (const format of ['svg', 'json']) {
    const { code, err } = await run(
      `leaks --pid ${PID} --duration 1h --window 500ms -f ${format} -o /dev/full`,
      {
        snapshot: (_, plugin) => {
          const emitter: { event(name: string, body: string, attributes: object): void } =
            plugin.bindings.emitter;
          emitter.event('memwatcher.memory_leak', 'it leaks', {});
          return fakeSnapshot();
        },
        prepare: (world) => {
          if (format === 'svg') world.interrupt();
        },
      },
    );
    assert.equal(code, 1, err);
    assert.match(err, /^mem-watcher: --output \/dev\/full: ENOSPC/m);
  }
});

test('--exit-code is for confirmed leaks alone', async () => {
  const line = `leaks --pid ${PID} --duration 200ms --exit-code 9`;
  assert.equal((await run(line)).code, 9);
  const quiet = () => fakeSnapshot({ states: [{ state: 'suspected', class: 'leak', count: 1 }] });
  assert.equal((await run(line, { snapshot: quiet })).code, 0);
});

test('a target that ends: the report is of what was seen until then', async () => {
  const child: ChildProcess = spawn('sleep', ['1000'], { stdio: 'ignore' });
  try {
    const gone = once(child, 'exit');
    const { code, out, err } = await run(`leaks --pid ${child.pid} --duration 1h --window 500ms`, {
      snapshot: (round) => {
        if (round === 2) child.kill('SIGKILL');
        return round < 3 ? fakeSnapshot() : fakeSnapshot({ targets: [], stacks: [], states: [] });
      },
    });
    await gone;
    assert.equal(code, 0);
    assert.match(out, /shop::Cart::add/);
    assert.match(err, /^mem-watcher: the target ended after \S+ s of 60 min: the report is of/m);
  } finally {
    child.kill('SIGKILL');
  }
});

test('what is watched of them is said as in the configuration', async () => {
  const words = '--children --inherit --mmap --brk --function my_alloc=malloc a=b=free';
  const { code, plugin } = await run(`leaks --pid ${PID} --executable a --duration 200ms ${words}`);
  assert.equal(code, 0);
  assert.ok(plugin);
  const { targets } = plugin.bindings.config as { targets: Record<string, unknown>[] };
  const functions = { my_alloc: 'malloc', 'a=b': 'free' };
  const same = { children: true, inherit: true, mmap: true, brk: true, functions };
  assert.deepEqual(targets, [
    { pid: process.pid, ...same },
    { executable: 'a', ...same },
  ]);
});

for (const [name, line, words] of [
  ['mappings of nobody', 'leaks --kernel --mmap', /--mmap: say whose\n {2}--pid, --executable/],
  ['no shape', `leaks --pid ${PID} --function x=y`, /x=y: write NAME=SHAPE.*\n {2}shapes: malloc,/],
  ['nobody', 'leaks --duration 1s', /say whom to watch\n {2}--pid, --executable/],
  ['no such process', 'leaks --pid 4194304', /there is no process 4194304/],
  ['no number', 'leaks --pid shop', /--pid shop: write a whole number/],
  ['no time', `leaks --pid ${PID} --duration soon`, /--duration soon: write a time/],
  ['live and once', `leaks --pid ${PID} --live --once`, /--once and --live exclude each other/],
  ['a live flame graph', `leaks --pid ${PID} --live -f svg`, /svg is one document/],
  ['no folder', `leaks --pid ${PID} -o /nowhere/x`, /--output \/nowhere\/x: ENOENT/],
  ['a wrong sampling', `leaks --pid ${PID} --sampling few`, /^--sampling: /],
  ['an unknown format', `leaks --pid ${PID} -f xml`, /Allowed choices are table, original/],
] as const) {
  test(`wrong: ${name}`, async () => {
    const { code, out, err } = await run(line);
    assert.equal(code, name === 'no such process' ? 1 : 2);
    assert.equal(out, '');
    assert.match(err, words);
  });
}

test('what cannot be watched ends with 1 and the reason', async () => {
  const reason = 'a Go binary: a return probe would crash it';
  const coverage = { ...fakeTarget().coverage, recorded: 0 };
  const go = await run(`leaks --pid ${PID} --duration 200ms -f original`, {
    snapshot: () =>
      fakeSnapshot({ stacks: [], states: [], targets: [fakeTarget({ reason, coverage })] }),
  });
  assert.equal(go.code, 1);
  assert.equal(go.out, '');
  assert.match(go.err, /^mem-watcher: shop \(2429\): a Go binary: a return probe would crash it$/m);
  const broken = await run(`leaks --pid ${PID} --duration 200ms`, {
    start: () => {
      throw new Error('the verifier refused it');
    },
  });
  assert.equal(broken.code, 1);
  assert.match(broken.err, /could not start: the verifier refused it/);
  const nobody = await run('leaks --executable nosuch --duration 200ms', {
    snapshot: () => fakeSnapshot({ stacks: [], states: [], targets: [] }),
  });
  assert.equal(nobody.code, 1);
  assert.match(nobody.err, /no process was there to be watched/);
});

test('nothing allocated is said, and no failure', async () => {
  const coverage = { ...fakeTarget().coverage, recorded: 0 };
  const snapshot = () =>
    fakeSnapshot({ stacks: [], states: [], targets: [fakeTarget({ coverage })] });
  const { code, err } = await run(`leaks --pid ${PID} --duration 200ms -f folded`, { snapshot });
  assert.equal(code, 0);
  assert.match(err, /nothing was allocated while watched/);
});

test('the live view takes targets of several kinds', async () => {
  const { code, plugin } = await run(`memleak --once --pid ${PID} --executable a,b`);
  assert.equal(code, 0);
  assert.ok(plugin);
  const { targets } = plugin.bindings.config as {
    targets: { pid?: number; executable?: string }[];
  };
  assert.deepEqual(
    targets.map(({ pid, executable }) => pid ?? executable),
    [process.pid, 'a,b'],
  );
});

test('who asks for a process that cannot be followed does not wait the duration out', async () => {
  const reason = 'it is a Go program';
  const coverage = { ...fakeTarget().coverage, recorded: 0 };
  const target = fakeTarget({ reason, refused: true, coverage });
  const snapshot = () => ({ ...fakeSnapshot(), targets: [target], stacks: [], states: [] });
  const { code, plugin, err } = await run(`leaks --pid ${PID} --duration 1h -f json`, { snapshot });
  assert.equal(code, 1);
  assert.equal(plugin?.rounds, 1);
  assert.match(err, /it is a Go program/);
});
