import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Btf } from '../../core/bpf/btf.js';
import { structLayout } from '../../core/bpf/struct.js';
import { MemWatcherError } from '../../core/errors.js';
import { findInstallation } from '../../core/install.js';
import { assertGolden, recordingsOf } from '../../test/fakes/golden.js';
import { SysstatDecoder } from './decoder.js';

const installation = findInstallation(import.meta.url);
const btf = Btf.ofObject(readFileSync(installation.bpfObject('sysstat')));
const layout = structLayout(btf, 'sysstat_node');
const decoder = new SysstatDecoder(layout, 4096);

const TESTDATA = join(installation.root, 'plugins/sysstat/testdata');
const RECORDINGS = ['5.10-two-nodes', '6.18-one-node', '7.2-two-nodes'];
const ALL = (1n << 18n) - 1n;

describe('SysstatDecoder', () => {
  // Recorded from the map on the kernels that the names say.
  for (const { name, bytes, golden } of recordingsOf(TESTDATA, RECORDINGS)) {
    it(`reads ${name} as recorded`, (context) => {
      assertGolden(context, golden, decoder.decode(split(bytes)));
    });
  }

  it('adds up the pages of nodes, and turns them into bytes', () => {
    const nodes = [slot({ active_anon: 3, active_file: 4 }), slot({ active_anon: 10 })];
    const { host, nodes: decoded } = decoder.decode(nodes);
    assert.equal(host.activeAnon, 13 * 4096);
    assert.equal(host.active, 17 * 4096);
    assert.deepEqual(
      decoded.map(({ id, memory }) => [id, memory.active]),
      [
        [0, 7 * 4096],
        [1, 10 * 4096],
      ],
    );
  });

  it('takes a sum below 0 for 0, after adding up', () => {
    const { host, nodes } = decoder.decode([slot({ dirty: -5 }), slot({ dirty: 8 })]);
    assert.equal(nodes[0]?.memory.dirty, 0);
    assert.equal(host.dirty, 3 * 4096);
  });

  it('leaves out what the kernel lacks, and sums that need it', () => {
    const lacks = (item: string) => ALL & ~(1n << BigInt(itemNames().indexOf(item)));
    const [node] = decoder.decode([slot({ shmem: 2 }, { known: lacks('nfs_unstable') })]).nodes;
    assert.equal(node?.memory.nfsUnstable, undefined);
    assert.equal(node?.memory.shmem, 2 * 4096);
    const [old] = decoder.decode([slot({}, { known: lacks('kernel_misc_reclaimable') })]).nodes;
    assert.equal(old?.memory.kernelReclaimable, undefined);
    assert.equal(old?.memory.slab, 0);
  });

  it('keeps the numbers of nodes where some are missing', () => {
    const { nodes } = decoder.decode([empty(), slot({}), empty(), slot({}), undefined]);
    assert.deepEqual(
      nodes.map(({ id }) => id),
      [1, 3],
    );
  });

  it('forgets a node that has gone offline', () => {
    const nodes = [slot({}, { readAt: 9_000_000_000n }), slot({}, { readAt: 7_900_000_000n })];
    assert.deepEqual(
      decoder.decode(nodes).nodes.map(({ id }) => id),
      [0],
    );
  });

  it('says nothing of the host when no node was read', () => {
    const { host, nodes } = decoder.decode([empty()]);
    assert.equal(nodes.length, 0);
    assert.equal(host.active, undefined);
  });

  it('adds the boost to the watermarks, and leaves out zones without pages', () => {
    const bytes = slot({});
    writeZone(bytes, 1, { present: 100, managed: 90, free: 80, min: 5, low: 6, high: 7, boost: 2 });
    const [node] = decoder.decode([bytes]).nodes;
    assert.deepEqual(node?.zones, [
      {
        name: 'Normal',
        present: 409_600,
        managed: 368_640,
        free: 327_680,
        watermark: { min: 7 * 4096, low: 8 * 4096, high: 9 * 4096 },
      },
    ]);
  });

  it('refuses a slot of another length', () => {
    for (const length of [0, layout.size - 1, layout.size + 8]) {
      assert.throws(() => decoder.decode([new Uint8Array(length)]), isLayoutInvalid);
    }
  });

  it('refuses a layout of another build', () => {
    const fields = layout.fields.filter(({ name }) => name !== 'items');
    assert.throws(() => new SysstatDecoder({ ...layout, fields }, 4096), isLayoutInvalid);
  });

  it('reads garbage as numbers, and never throws', () => {
    let seed = 42;
    for (let round = 0; round < 200; round++) {
      const bytes = Uint8Array.from({ length: layout.size }, () => {
        seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
        return seed >> 16;
      });
      const { nodes } = decoder.decode([bytes]);
      for (const value of Object.values(nodes[0]?.memory ?? {})) {
        assert.ok(value === undefined || value >= 0);
      }
    }
  });
});

const isLayoutInvalid = (error: unknown) =>
  error instanceof MemWatcherError && error.code === 'LAYOUT_INVALID';

function split(bytes: Buffer): Uint8Array[] {
  const count = bytes.length / layout.size;
  return Array.from({ length: count }, (_, n) =>
    bytes.subarray(n * layout.size, (n + 1) * layout.size),
  );
}

const empty = () => new Uint8Array(layout.size);

function fieldAt(name: string): number {
  const field = layout.fields.find((one) => one.name === name);
  assert.ok(field, name);
  return field.offset;
}

function itemFields() {
  const items = layout.fields.find(({ name }) => name === 'items')?.type;
  assert.ok(items?.kind === 'struct');
  return items.layout.fields;
}

const itemNames = () => itemFields().map(({ name }) => name);

/** A slot as the kernel would have written it; items in pages. */
function slot(
  items: Readonly<Record<string, number>>,
  { known = ALL, readAt = 1_000_000n }: { known?: bigint; readAt?: bigint } = {},
): Uint8Array {
  const bytes = empty();
  const view = new DataView(bytes.buffer);
  view.setBigUint64(fieldAt('read_at'), readAt, true);
  view.setBigUint64(fieldAt('known'), known, true);
  for (const { name, offset } of itemFields()) {
    view.setBigInt64(fieldAt('items') + offset, BigInt(items[name] ?? 0), true);
  }
  return bytes;
}

function writeZone(
  bytes: Uint8Array,
  index: number,
  pages: Readonly<Record<string, number>>,
): void {
  const zones = layout.fields.find(({ name }) => name === 'zones')?.type;
  assert.ok(zones?.kind === 'array' && zones.element.kind === 'struct');
  const zone = zones.element.layout;
  const at = fieldAt('zones') + index * zone.size;
  const view = new DataView(bytes.buffer);
  for (const { name, offset } of zone.fields) {
    const value = pages[name.replace('watermark_', '')];
    if (value !== undefined) view.setBigInt64(at + offset, BigInt(value), true);
  }
  bytes.set(Buffer.from('Normal'), at + (zone.fields.find((f) => f.name === 'name')?.offset ?? 0));
}
