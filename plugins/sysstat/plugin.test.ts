import 'reflect-metadata';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LoadOptions } from '../../core/bpf/host.js';
import { MemWatcherError } from '../../core/errors.js';
import { pageSize } from '../../core/identity/host.js';
import { findInstallation } from '../../core/install.js';
import { nodeCount } from '../../core/memory/numa.js';
import { Scope } from '../../core/scope.js';
import { StatusKeeper } from '../../core/status.js';
import { PointBatchBuilder } from '../../core/telemetry/points.js';
import { FakeObject, fakeLoader } from '../../test/fakes/bpf-host.js';
import { metadata } from './metadata.js';
import { hugePageSize } from './nodes.js';
import { Sysstat } from './plugin.js';
import { report } from './report.js';
import { view } from './view.js';

const SLOT = 752;
const ITEMS = 32;
const ZONES = ITEMS + 18 * 8;

const ITEM_NAMES = [
  'active_anon',
  'inactive_anon',
  'active_file',
  'inactive_file',
  'unevictable',
  'dirty',
  'writeback',
  'writeback_temp',
  'nfs_unstable',
  'anon_mapped',
  'file_mapped',
  'shmem',
  'kernel_misc_reclaimable',
  'slab_reclaimable',
  'slab_unreclaimable',
  'anon_huge',
  'shmem_huge',
  'file_huge',
];

const READ_NOW = { section: 'raw_tp' };
const ON_ALLOCATION = { section: 'kprobe/get_page_from_freelist' };

describe('Sysstat', () => {
  it('runs the program, and reads what it wrote', () => {
    const { plugin, object } = build({ run: (slots) => writeSlot(slots, 0, { dirty: 7 }) });
    assert.equal(plugin.collect().host.dirty, 7 * object.pageSize);
  });

  it('tells the program how many nodes can exist, and how large a huge page is', () => {
    const { object } = build({ run: (slots) => writeSlot(slots, 0, {}) });
    assert.equal(object.fake.constants.get('node_count'), nodeCount());
    assert.equal(
      object.fake.constants.get('pages_per_huge_page'),
      hugePageSize() / object.pageSize,
    );
  });

  it('takes only a strategy that finds a node', () => {
    const options: LoadOptions[] = [];
    const { verify } = build({ run: (slots) => writeSlot(slots, 0, {}), options });
    const finding = new FakeObject({ programs: { read_now: { ...READ_NOW, run: () => 2 } } });
    const blind = new FakeObject({ programs: { read_now: { ...READ_NOW, run: () => 0 } } });
    verify(finding);
    assert.throws(() => verify(blind), /no NUMA node was found/);
  });

  it('does not show again what it read last, once it finds no node any more', () => {
    const { plugin, object } = build({ run: (slots) => writeSlot(slots, 0, {}) });
    plugin.collect();
    object.goBlind();
    assert.throws(() => plugin.collect(), isRunFailed);
  });

  it('throws while no allocation has passed the hook', () => {
    const { plugin, object } = build({ hook: true });
    assert.throws(() => plugin.collect(), isRunFailed);
    writeSlot(object.slots(), 0, { shmem: 1 });
    assert.equal(plugin.collect().host.shmem, object.pageSize);
  });

  it('shows the configured nodes, and counts all of them for the host', () => {
    const { plugin } = build({
      config: { nodes: [0] },
      run: (slots) => writeSlot(slots, 0, { shmem: 3 }),
    });
    const { nodes, host } = plugin.collect();
    assert.deepEqual(
      nodes.map(({ id }) => id),
      [0],
    );
    assert.equal(host.shmem, 3 * pageSize());
  });

  it('refuses a node that the host cannot have', () => {
    assert.throws(() => build({ config: { nodes: [0, 4096] } }), /no NUMA node 4096/);
  });

  it('says that it is degraded while a slot never stands still', () => {
    const { plugin, health, object } = build({ run: (slots) => writeSlot(slots, 0, {}) });
    plugin.collect();
    assert.equal(health.current.state, 'ok');
    const view = new DataView(object.slots().buffer);
    object.freeze();
    view.setBigUint64(0, 2n, true);
    assert.throws(() => plugin.collect(), isRunFailed);
    assert.equal(health.current.state, 'degraded');
    assert.match(health.current.reason ?? '', /node 0 was being written/);
    view.setBigUint64(8, 2n, true);
    plugin.collect();
    assert.equal(health.current.state, 'ok');
  });

  it('closes what it opened', async () => {
    const { plugin, scope, object } = build({ run: (slots) => writeSlot(slots, 0, {}) });
    plugin.collect();
    await scope.close();
    assert.equal(object.fake.map('nodes').open, 0);
    assert.ok(object.fake.closed);
  });
});

describe('report and view of sysstat', () => {
  const { plugin } = build({
    run: (slots) => {
      writeSlot(slots, 0, { active_anon: 1, active_file: 2, slab_reclaimable: 4 });
      writeZone(slots, { present: 100, managed: 90, free: 9, min: 8, low: 10, high: 12 });
    },
  });
  const records = plugin.collect();

  it('gives the host and the node metrics of their own', () => {
    const out = new PointBatchBuilder(metadata);
    report(records, out);
    const { metrics } = out.build(0, 0);
    const sum = (name: string) =>
      metrics
        .find((metric) => metric.name === name)
        ?.scalars.reduce((a, { value }) => a + value, 0);
    assert.equal(sum('memwatcher.memory.lru'), sum('memwatcher.numa.memory.lru'));
    assert.ok((sum('memwatcher.memory.lru') ?? 0) > 0);
    const named = new Set(metrics.map(({ name }) => name));
    assert.deepEqual(
      Object.keys(metadata.metrics).filter((name) => !named.has(name)),
      [],
    );
  });

  it('has the original’s columns, a row for the host and one for the node', () => {
    const [memory, kernel, zones] = view.tables(records, { rows: 50, bytes: true });
    const titles = memory?.columns.map(({ title }) => title).join(' ');
    assert.equal(
      titles,
      'NODE ACTIVE INACTVE ANON_ACT ANON_INA FILE_ACT FILE_INA UNEVICT DIRTY WRITEBK ANONPAG MAP SHMEM',
    );
    assert.deepEqual(
      memory?.rows.map(([node]) => node),
      ['host', '0'],
    );
    assert.equal(kernel?.rows.length, 2);
    assert.equal(zones?.rows[0]?.at(-1), 'below low: kswapd reclaims');
    for (const table of [memory, kernel, zones]) {
      assert.ok(table?.rows.every((row) => row.length === table.columns.length));
    }
  });

  it('says in the overview which zone is short', () => {
    const [table] = view.overview(records, { rows: 5, bytes: true });
    assert.match(table?.footer ?? '', /node 0 Normal is below low/);
  });

  it('takes node numbers, and nothing else', () => {
    const [option] = view.options;
    assert.deepEqual(option?.config(['0', '1']), { nodes: [0, 1] });
    for (const wrong of ['x', '-1', '1.5', '']) {
      assert.throws(() => option?.config([wrong]), /is no NUMA node/);
    }
  });
});

describe('what sysfs says of nodes', () => {
  it('counts to the highest possible node', () => {
    for (const [text, count] of [
      ['0\n', 1],
      ['0-1\n', 2],
      ['0,2-5\n', 6],
      ['0-3,8\n', 9],
      [undefined, nodeCount()],
    ] as const) {
      assert.equal(nodeCount(text), count);
    }
  });

  it('knows the size of a huge page, or that there is none', () => {
    assert.equal(hugePageSize('2097152\n'), 2_097_152);
    assert.equal(hugePageSize(''), 0);
  });
});

const isRunFailed = (error: unknown) =>
  error instanceof MemWatcherError && error.code === 'BPF_RUN_FAILED';

interface Setup {
  readonly run?: (slots: Uint8Array) => void;
  readonly hook?: boolean;
  readonly config?: Record<string, unknown>;
  readonly options?: LoadOptions[];
}

function build({ run, hook = false, config = {}, options = [] }: Setup) {
  let frozen = false;
  let blind = false;
  const slots = () => fake.map('nodes').bytes;
  const readNow = {
    ...READ_NOW,
    run: () => {
      if (!frozen) run?.(slots());
      return blind ? 0 : 1;
    },
  };
  const fake: FakeObject = new FakeObject({
    file: findInstallation(import.meta.url).bpfObject('sysstat'),
    programs: hook ? { on_allocation_kprobe: ON_ALLOCATION } : { read_now: readNow },
    maps: [{ name: 'nodes', valueSize: SLOT, mmapable: true }],
  });
  const loader = fakeLoader(fake);
  const scope = new Scope();
  const health = new StatusKeeper('sysstat', () => undefined);
  const plugin = new Sysstat(
    scope,
    metadata.config.parse(config),
    {
      load: (given = {}) => {
        options.push(given);
        return loader.load(given);
      },
    },
    health,
  );
  plugin.start();
  health.running();
  const verify = (object: FakeObject) => options[0]?.verify?.(fakeLoader(object).load());
  const freeze = () => {
    frozen = true;
  };
  const goBlind = () => {
    blind = true;
  };
  const object = { fake, slots, freeze, goBlind, pageSize: pageSize() };
  return { plugin, scope, health, verify, object };
}

function writeSlot(slots: Uint8Array, node: number, items: Readonly<Record<string, number>>): void {
  const view = new DataView(slots.buffer, slots.byteOffset + node * SLOT, SLOT);
  view.setBigUint64(16, 1_000n, true);
  view.setBigUint64(24, (1n << 18n) - 1n, true);
  for (const [n, name] of ITEM_NAMES.entries()) {
    view.setBigInt64(ITEMS + n * 8, BigInt(items[name] ?? 0), true);
  }
}

/** The first zone of node 0. */
function writeZone(slots: Uint8Array, pages: Readonly<Record<string, number>>): void {
  const view = new DataView(slots.buffer, slots.byteOffset + ZONES);
  slots.set(Buffer.from('Normal'), ZONES);
  for (const [n, name] of ['present', 'managed', 'free', 'min', 'low', 'high'].entries()) {
    view.setBigInt64(16 + n * 8, BigInt(pages[name] ?? 0), true);
  }
}
