/**
 * A leak on its whole road: two processes of one program, one of them in a container, the real agent
 * and a real Collector. What arrives names the line, the process, the container, and the same id of
 * the stack for both.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { readCorpus } from '../corpus/manifest.js';
import { AgentProcess } from './agent.js';
import { Collector, until } from './collector.js';
import { lackForE2e } from './lack.js';
import type { Log, Metric } from './otlp-json.js';
import { Podman } from './podman.js';

const PROGRAM = join(import.meta.dirname, '../fakes/leaky');
const EVENT = 'memwatcher.memory_leak';
const ARGS = ['seconds=600', 'one_in=20'];
/** Twelve of them are a run. */
const WINDOW = '1s';
const ARRIVAL_MS = 90_000;

const skip =
  (await lackForE2e()) || (existsSync(PROGRAM) ? false : 'leaky is not built: make -C test/fakes');
const withoutContainer = Podman.missing() ?? false;

suite('a leak → the Collector', { skip }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-e2e-'));
  const podman = withoutContainer === false ? new Podman() : undefined;
  let collector: Collector;
  let agent: AgentProcess;
  let child: ChildProcess | undefined;
  let container: { readonly id: string; readonly pid: number } | undefined;
  let confirmed: readonly Log[] = [];
  let all: readonly Log[] = [];
  let metrics: readonly Metric[] = [];
  let exitCode: number | null = null;

  before(async () => {
    collector = await Collector.start({ dir });
    const own = spawn(PROGRAM, ARGS, { stdio: 'ignore' });
    child = own;
    if (podman) {
      const id = podman.run({ program: PROGRAM, args: ARGS });
      container = { id, pid: podman.pid(id) };
    }
    const pids = [own.pid ?? 0, ...(container ? [container.pid] : [])];
    agent = new AgentProcess({
      dir,
      config: {
        interval: '500ms',
        exporters: {
          otlp: { default: { endpoint: collector.endpoint() } },
          prometheus: { enabled: false },
        },
        plugins: {
          ...Object.fromEntries(
            ['paf', 'pr', 'procstat', 'sysstat'].map((name) => [name, { enabled: false }]),
          ),
          memleak: {
            enabled: true,
            targets: pids.map((pid) => ({ pid })),
            judging: { window: WINDOW },
          },
        },
      },
    });
    await until(
      () => {
        confirmed = collector.logs().filter(isConfirmed);
        return pids.every((pid) => of(pid, confirmed).length > 0);
      },
      ARRIVAL_MS,
      () => `confirmed: ${confirmed.map(({ body }) => body)}\n${agent.errors}`,
    );
    exitCode = await agent.stop();
    all = collector.logs().filter(({ eventName }) => eventName === EVENT);
    metrics = collector.metrics();
  });

  after(async () => {
    child?.kill('SIGKILL');
    podman?.close();
    await agent?.stop('SIGKILL');
    await collector?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const own = (): Log => {
    const [log, ...more] = of(child?.pid ?? 0, confirmed);
    assert.ok(log);
    assert.deepEqual(more, [], 'a change of state is one event');
    return log;
  };

  test('the event names the function and the line, in its stack', () => {
    const marked = readCorpus().find(({ name }) => name === 'leaks/request_error')?.marks[0];
    const { attributes, severity } = own();
    assert.equal(severity, 'WARN');
    assert.equal(attributes['memwatcher.allocation.function'], 'read_body');
    const [first = ''] = String(attributes['code.stacktrace']).split('\n');
    assert.match(
      first,
      new RegExp(`: read_body @ 0x[0-9a-f]+\\+0x.*/${marked?.file}:${marked?.line}$`),
    );
  });

  test('it carries its evidence', () => {
    const { attributes } = own();
    const figure = (name: string) => Number(attributes[`${EVENT}.${name}`]);
    assert.equal(attributes[`${EVENT}.class`], 'leak');
    assert.ok(figure('size') > 0 && figure('allocations') > 0 && figure('growth') > 0);
    assert.ok(figure('confidence') > 0.5 && figure('confidence') <= 1);
    assert.equal(figure('coverage'), 1);
    assert.ok(figure('age.oldest') >= figure('age.p90') && figure('age.p90') >= figure('age.p50'));
    assert.ok(String(attributes[`${EVENT}.reason`]).length > 20);
  });

  test('it is of the process, and the resource is the agent’s', () => {
    const { attributes, resource } = own();
    assert.equal(attributes['process.pid'], child?.pid);
    assert.equal(attributes['process.executable.name'], 'leaky');
    assert.equal(attributes['container.id'], undefined);
    assert.equal(resource['service.name'], 'mem-watcher');
    assert.equal(resource['process.pid'], undefined);
  });

  test('it was suspected before, and nothing else is held against the program', () => {
    const states = of(child?.pid ?? 0, all)
      .filter((log) => idOf(log) === idOf(own()))
      .map(({ attributes }) => attributes[`${EVENT}.state`]);
    assert.deepEqual(states.slice(0, 2), ['suspected', 'confirmed']);
    assert.deepEqual(new Set(confirmed.map(idOf)), new Set([idOf(own())]));
  });

  test('the container is on its own, under the same id of the stack', (t) => {
    if (container === undefined) return t.skip(String(withoutContainer));
    const [log] = of(container.pid, confirmed);
    assert.equal(log?.attributes['container.id'], container.id);
    assert.ok(log && idOf(log) === idOf(own()));
  });

  test('the stack is a series by the same id', () => {
    const id = idOf(own());
    const sizes = metrics.filter(
      ({ name, attributes }) =>
        name === 'memwatcher.allocation.outstanding.size' &&
        attributes['memwatcher.allocation.stack.id'] === id &&
        attributes['process.pid'] === child?.pid,
    );
    assert.ok(sizes.length > 2, `${sizes.length} points`);
    assert.ok((sizes.at(-1)?.value ?? 0) >= Number(own().attributes[`${EVENT}.size`]));
  });

  test('the agent ends well', () => {
    assert.equal(exitCode, 0);
  });
});

const isConfirmed = ({ eventName, attributes }: Log): boolean =>
  eventName === EVENT && attributes[`${EVENT}.state`] === 'confirmed';
const of = (pid: number, logs: readonly Log[]): Log[] =>
  logs.filter(({ attributes }) => attributes['process.pid'] === pid);
const idOf = ({ attributes }: Log) => attributes['memwatcher.allocation.stack.id'];
