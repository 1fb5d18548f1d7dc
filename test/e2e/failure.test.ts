/**
 * Failed page allocations on their whole road: cgroups in which no page is to be had, the real agent,
 * and the logs that a real Collector received. How many failed, when and of whom is known from the
 * processes themselves and from the kernel's own tracer.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { exhausted, UNKILLABLE } from '../fakes/exhausted.js';
import { MemoryCgroup } from '../fakes/memory-cgroup.js';
import {
  type Caused,
  failuresOf,
  PIPE_OF_ORDER,
  Pressure,
  pressureMissing,
} from '../fakes/pressure.js';
import { NO_PAGE, type TracedEvent, Tracing } from '../fakes/tracing.js';
import { AgentProcess } from './agent.js';
import { Collector, until } from './collector.js';
import { lackForE2e } from './lack.js';
import type { Log, Metric } from './otlp-json.js';
import { Podman } from './podman.js';
import { clockOffset } from './proc.js';

const EVENT = 'memwatcher.page_allocation.failure';
const PREFIX = 'memwatcher.page_allocation';
const MIB = 2 ** 20;
const FEW = 5;
const STORM = 20_000;
const PROGRAM = join(import.meta.dirname, '../fakes/pressure');
const ALLOCATIONS = 'kmem/mm_page_alloc';
const ARRIVAL_MS = 60_000;
/** Both clocks are read one after the other, here and in the agent. */
const CLOCKS_MS = 5;
/** As OpenTelemetry counts. */
const INFO = 9;
const WARN = 13;

const skip =
  (await lackForE2e()) ||
  (pressureMissing() ?? MemoryCgroup.missing() ?? Tracing.missing(ALLOCATIONS) ?? false);

suite('failed allocations → Collector', { skip }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-e2e-'));
  const podman = Podman.missing() === undefined ? new Podman() : undefined;
  const containerSkip = Podman.missing() ?? false;
  const groups: MemoryCgroup[] = [];
  let few: { readonly path: string; readonly caused: readonly Caused[] };
  let storm: { readonly caused: readonly Caused[] };
  let container: { readonly id: string; readonly pid: number } | undefined;
  let logs: readonly Log[] = [];
  let metrics: readonly Metric[] = [];
  let traced: readonly TracedEvent[] = [];
  let offset = 0n;
  let exitCode: number | null = null;
  let complaints: readonly string[] = [];

  before(async () => {
    const collector = await Collector.start({ dir });
    const agent = new AgentProcess({
      dir,
      config: {
        interval: '500ms',
        exporters: {
          otlp: { collector: { endpoint: collector.endpoint() } },
          prometheus: { enabled: false },
        },
        plugins: { paf: {}, pr: { enabled: false } },
      },
    });
    const tracing = new Tracing({ events: { [ALLOCATIONS]: NO_PAGE } });
    try {
      await agent.collected(2);
      few = await failFew();
      storm = { caused: await failWith(`resize=${PIPE_OF_ORDER[2]}:${STORM}`) };
      container = await failInContainer();
      const pids = [...few.caused, ...storm.caused, ...(container ? [container] : [])];
      tracing.stop();
      traced = tracing.read();
      offset = clockOffset();
      await until(
        () => {
          logs = collector.logs().filter(({ eventName }) => eventName === EVENT);
          return pids.every(({ pid }) => counted(pid) >= seen(pid).length);
        },
        ARRIVAL_MS,
        () => `only ${logs.length} events arrived:\n${agent.errors}`,
      );
      await agent.collected(agent.collections + 2);
    } finally {
      tracing.close();
      exitCode = await agent.stop('SIGINT');
      await collector.stop();
    }
    complaints = agent.complaints;
    metrics = collector.metrics();
    logs = collector.logs().filter(({ eventName }) => eventName === EVENT);
  });

  after(() => {
    podman?.close();
    for (const group of groups) group.remove();
    rmSync(dir, { recursive: true, force: true });
  });

  async function failFew() {
    const caused = await failWith(`pipe=${FEW}`, `resize=${PIPE_OF_ORDER[2]}:${FEW}`);
    return { path: groups.at(-1)?.path ?? '', caused };
  }

  /** Not by a call that waits: who does not read what the agent prints loses some of it. */
  async function failWith(...steps: readonly string[]): Promise<readonly Caused[]> {
    const group = exhausted();
    groups.push(group);
    const before = [...UNKILLABLE, 'pipes=40', group.enter];
    const fill = steps.some((step) => step.startsWith('pipe=')) ? [] : ['pipe=1'];
    const pressure = await Pressure.start([...before, ...fill, ...steps, 'wait']);
    await pressure.stop();
    return pressure.caused;
  }

  /** It speaks by a terminal: a pipe would want pages that are not to be had. */
  async function failInContainer() {
    if (podman === undefined) return undefined;
    const limits = ['--memory', String(8 * MIB), '--memory-swap', String(8 * MIB)];
    const id = podman.run({
      program: PROGRAM,
      args: ['lock', 'pipes=400', `pipe=${FEW}`, 'wait'],
      options: [...limits, '--oom-kill-disable', '--cap-add', 'IPC_LOCK', '--tty'],
    });
    await until(
      () => podman.output(id).includes('waiting'),
      ARRIVAL_MS,
      () => `the container says ${podman.output(id)}`,
    );
    return { id, pid: podman.pid(id) };
  }

  const of = (pid: number) => logs.filter(({ attributes }) => attributes['process.pid'] === pid);
  const seen = (pid: number) => traced.filter(({ tid }) => tid === pid);
  const counted = (pid: number) =>
    of(pid).reduce((sum, { attributes }) => sum + Number(attributes[`${PREFIX}.failure.count`]), 0);
  const pidOf = (caused: readonly Caused[]) => caused[0]?.pid ?? 0;

  test('the agent ended well and had nothing to complain of', () => {
    assert.equal(exitCode, 0);
    assert.deepEqual(complaints, []);
  });

  test('each kind of failure is an event, as many as the process itself had', () => {
    const events = of(pidOf(few.caused));
    const byOrder = new Map<unknown, number>();
    for (const { attributes } of events) {
      const order = attributes[`${PREFIX}.order`];
      const count = Number(attributes[`${PREFIX}.failure.count`]);
      byOrder.set(order, (byOrder.get(order) ?? 0) + count);
    }
    assert.deepEqual([...byOrder].sort(), [
      [0, FEW],
      [2, FEW],
    ]);
    assert.equal(failuresOf(few.caused), 2 * FEW);
  });

  test('its name, severity, words and time', () => {
    const pid = pidOf(few.caused);
    const unix = (ns: number) => Number(offset + BigInt(ns)) / 1e6;
    for (const { severity, severityNumber, body, time, attributes, resource } of of(pid)) {
      // Who asks with __GFP_NOWARN can do without.
      const canDo = String(attributes[`${PREFIX}.gfp_flags`]).includes('NOWARN');
      assert.equal(severity, canDo ? 'INFO' : 'WARN');
      assert.equal(severityNumber, canDo ? INFO : WARN);
      assert.match(body, /pressure \(\d+\) failed, order \d/);
      assert.equal(resource['service.name'], 'mem-watcher');
      const own = seen(pid).map((event) => unix(event.time));
      assert.ok(
        own.some((at) => Math.abs(at - time) <= CLOCKS_MS),
        `${time} is none of ${own}`,
      );
      const last = Date.parse(String(attributes[`${PREFIX}.failure.last`]));
      assert.ok(last >= time - 1 && last <= Math.max(...own) + CLOCKS_MS);
    }
  });

  test('who asked, for what, and whose limit it was', () => {
    for (const { attributes } of of(pidOf(few.caused))) {
      assert.equal(attributes['process.executable.name'], 'pressure');
      assert.ok(String(attributes['process.linux.cgroup']).endsWith(`:${few.path}`));
      assert.equal(attributes['container.id'], undefined);
      assert.equal(attributes[`${PREFIX}.reason`], 'memcg_limit');
      assert.equal(attributes[`${PREFIX}.memcg`], few.path);
      const limit = Number(attributes[`${PREFIX}.memcg.limit`]);
      assert.ok(Number(attributes[`${PREFIX}.memcg.usage`]) <= limit);
      assert.match(String(attributes[`${PREFIX}.gfp_flags`]), /^GFP_\w+(\|__GFP_\w+)*$/);
      assert.match(String(attributes[`${PREFIX}.gfp_flags`]), /ACCOUNT/);
    }
  });

  test('arrays arrive as arrays: zones, and what is in them', () => {
    for (const { attributes } of of(pidOf(few.caused))) {
      const zones = attributes[`${PREFIX}.zones`];
      assert.ok(Array.isArray(zones) && zones.includes('Normal'), `${zones}`);
      for (const figure of ['free', 'min', 'low', 'high', 'present', 'managed']) {
        const values = attributes[`${PREFIX}.zones.${figure}`];
        assert.ok(Array.isArray(values), figure);
        assert.equal(values.length, zones.length);
        assert.ok(values.every((value) => Number.isInteger(value) && value >= 0));
      }
    }
  });

  test('the stack begins in the allocator and goes through the pipe', () => {
    for (const { attributes } of of(pidOf(few.caused))) {
      const frames = String(attributes['code.stacktrace']).split('\n');
      assert.ok(frames.length > 3);
      assert.match(frames.join('\n'), /pipe/);
      for (const frame of frames) assert.match(frame, /^(\S+\+0x[0-9a-f]+|0x[0-9a-f]{16})/);
    }
  });

  test('a storm is folded into few events, and none of it is lost', () => {
    const pid = pidOf(storm.caused);
    assert.ok(seen(pid).length > STORM);
    assert.equal(counted(pid), failuresOf(storm.caused));
    assert.ok(of(pid).length < STORM / 100, `${of(pid).length} events`);
  });

  test('a container is the one that podman knows', { skip: containerSkip }, () => {
    assert.ok(container);
    const events = of(container.pid);
    assert.ok(seen(container.pid).length >= FEW);
    assert.equal(counted(container.pid), seen(container.pid).length);
    for (const { attributes } of events) {
      assert.equal(attributes['container.id'], container.id);
      assert.equal(attributes['process.executable.name'], 'pressure');
    }
  });

  test('the counter counts what the events tell of, and what is not told yet', () => {
    const failures = metrics.filter(({ name }) => name === `${PREFIX}.failures`);
    const time = Math.max(...failures.map((metric) => metric.time));
    const total = failures
      .filter((metric) => metric.time === time)
      .reduce((sum, { value }) => sum + value, 0);
    assert.ok(total >= failuresOf(few.caused) + failuresOf(storm.caused));
    // Others on this machine may fail more often than events may be sent, and after we have looked.
    const lastOf = ({ attributes }: Log) =>
      Date.parse(String(attributes[`${PREFIX}.failure.last`]));
    const told = logs.filter((log) => lastOf(log) < time);
    const counts = told.map(({ attributes }) => Number(attributes[`${PREFIX}.failure.count`]));
    assert.ok(total >= counts.reduce((sum, count) => sum + count, 0));
  });
});
