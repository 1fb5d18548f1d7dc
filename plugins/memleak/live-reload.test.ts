/** A reload that is not memleak's: the real plugin, supervisor and OTLP exporter. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { Collection } from '../../core/agent.js';
import { Probe, ProbeSource, probeModule } from '../../core/testing/probe.js';
import { Supervised } from '../../core/testing/supervised.js';
import { buildWith } from '../../test/conformance/harness.js';
import { Allocator } from '../../test/fakes/allocator.js';
import { memleak } from './index.js';

const skip = Allocator.missing() ?? false;
const BYTES = 2 ** 20;

const raw = (pid: number, level: string) => ({
  interval: '200ms',
  collect_timeout: '1m',
  start_timeout: '5m',
  shutdown_timeout: '2m',
  log: { level },
  plugins: { memleak: { enabled: true, targets: [{ pid }], budget: 0, limit: 0, state_dir: '-' } },
});

const sumOf = ({ plugins }: Collection, metric: string): number =>
  (plugins[0]?.batch.metrics.find(({ name }) => name === metric)?.scalars ?? []).reduce(
    (sum, { value }) => sum + value,
    0,
  );

const watchedOf = ({ plugins }: Collection): number | undefined =>
  plugins[0]?.batch.metrics
    .find(({ name }) => name === 'memwatcher.allocation.target.count')
    ?.scalars.find(
      ({ attributes }) => attributes['memwatcher.allocation.target.state'] === 'watched',
    )?.value;

describe('a reload that does not change memleak', { skip, timeout: 600_000 }, () => {
  test('loses none of the live allocations', async () => {
    const allocator = await Allocator.start('allocator-dynamic', 'alike', BYTES);
    const config = raw(allocator.pid, 'info');
    const agent = await Supervised.of([memleak], buildWith, { raw: config });
    try {
      await agent.supervisor.start(agent.config(config));
      const [status] = agent.supervisor.statuses;
      assert.notEqual(status?.state, 'failed', String(status?.reason));
      // One that waits is there too, but its calls are not recorded yet.
      await agent.until((seen) => watchedOf(seen) === 1);
      const held = await allocator.work();
      const bytes = held.reduce((sum, site) => sum + site.bytes, 0);
      const size = 'memwatcher.allocation.outstanding.size';
      await agent.until((seen) => sumOf(seen, size) >= bytes);
      const before = sumOf(agent.collections.at(-1) as Collection, size);
      assert.equal(await agent.reload(raw(allocator.pid, 'error')), true, agent.lines.join(''));
      // The C library may have freed a buffer of its own meanwhile; nothing that is held may go or double.
      const after = sumOf(await agent.next(), size);
      assert.ok(after >= bytes && after <= before, `${after}, not ${bytes} to ${before} bytes`);
      const recorded = (agent.collections.at(-1) as Collection).plugins[0]?.batch.metrics.find(
        ({ name }) => name === 'memwatcher.allocation.recorded',
      );
      await agent.supervisor.stop();
      const sent = agent.sent('memwatcher.allocation.recorded');
      assert.equal(
        sent.reduce((sum, value) => sum + value, 0),
        recorded?.scalars[0]?.value,
      );
    } finally {
      await agent.close();
      await allocator.stop();
    }
  });
});

/** Of the kernel, so that nobody has to live for it to be kept. */
const STACK = {
  identity: 'kernel slab 1000',
  age: 40,
  confirmedBytes: 0,
  judgement: { state: 'suspected', coverage: 1, since: 3, reason: 'grows' },
  horizons: [[[1, 2, 3, null, null, null, 4]]],
};

async function withState(
  t: TestContext,
  run: (
    agent: Supervised,
    file: string,
    raw: (top: number, label?: string) => Record<string, unknown>,
  ) => Promise<void>,
) {
  const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-reload-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'memleak.json');
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  writeFileSync(file, JSON.stringify({ version: 2, window: 5, boot, stacks: [STACK] }));
  const targets = [{ executable: 'no-such-program' }];
  const raw = (top: number, label = 'sound') => ({
    interval: '200ms',
    collect_timeout: '1m',
    start_timeout: '5m',
    shutdown_timeout: '2m',
    plugins: {
      memleak: { enabled: true, targets, top, state_dir: folder, judging: { window: '5s' } },
      probe: { enabled: true, label },
    },
  });
  const source = new ProbeSource();
  const agent = await Supervised.of(
    [memleak, probeModule('probe')],
    (module, bindings, kernel) =>
      module === memleak ? buildWith(module, bindings, kernel) : new Probe(source, bindings),
    { raw: raw(10) },
  );
  try {
    await agent.supervisor.start(agent.config(raw(10)));
    assert.notEqual(agent.supervisor.statuses[0]?.state, 'failed');
    await run(agent, file, raw);
  } finally {
    await agent.close();
  }
}

const savedIn = (file: string): string[] =>
  JSON.parse(readFileSync(file, 'utf8')).stacks.map(
    ({ identity }: { readonly identity: string }) => identity,
  );

describe('a reload that restarts memleak', { timeout: 600_000 }, () => {
  test('goes on with what the old instance held, not with what it saved before', (t) =>
    withState(t, async (agent, file, raw) => {
      // As if it had been written before the stack was seen.
      rmSync(file);
      assert.equal(await agent.reload(raw(20)), true, agent.lines.join(''));
      assert.deepEqual(savedIn(file), [STACK.identity]);
      await agent.supervisor.stop();
      assert.deepEqual(savedIn(file), [STACK.identity]);
    }));

  test('and is refused leaves the state to the instance that runs', (t) =>
    withState(t, async (agent, file, raw) => {
      rmSync(file);
      assert.equal(await agent.reload(raw(20, 'broken')), false);
      assert.equal(existsSync(file), false, 'the trial has written');
      await agent.supervisor.stop();
      assert.deepEqual(savedIn(file), [STACK.identity]);
    }));
});
