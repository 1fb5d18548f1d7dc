/** On a running kernel: every zone in full, against /proc/zoneinfo, buddyinfo and pagetypeinfo. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { BpfObject, MappedArray } from '../bpf/host.js';
import { createBpfHost } from '../bpf/libbpf.js';
import { type RecordDecoder, recordDecoder } from '../bpf/record.js';
import { parseCpuList } from '../identity/host.js';
import { RunningKernel } from '../kernel/running-kernel.js';
import { nodeCount } from './numa.js';
import { type ZoneDetail, type ZoneDetailRecord, zoneDetailOf } from './zone-detail.js';

const FILE = fileURLToPath(new URL('../../bpf/zones.bpf.o', import.meta.url));
/** Free lists move all the time; what is compared must hold in one of so many looks. */
const LOOKS = 200;

const kernel = new RunningKernel();
const nodeData = kernel.check({ kallsyms: 'node_data' });

interface Way {
  readonly name: string;
  readonly constants: Readonly<Record<string, number | bigint>>;
  readonly lack?: string;
}

const WAYS: readonly Way[] = [
  { name: 'a memory cgroup', constants: {} },
  nodeData.holds
    ? {
        name: 'the table of nodes',
        constants: { node_data: kernel.resolve({ address_of: 'node_data' }) },
      }
    : { name: 'the table of nodes', constants: {}, lack: nodeData.missing },
];

for (const { name, constants, lack } of WAYS) {
  if (lack !== undefined) {
    it(`zones by ${name}`, { skip: lack });
    continue;
  }
  describe(`zones by ${name}`, () => {
    let zones: LiveZones;
    before(() => {
      zones = new LiveZones(constants);
    });
    after(() => zones.close());

    it('finds each node that has memory', () => {
      const withMemory = readFileSync('/sys/devices/system/node/has_memory', 'utf8');
      const nodes = [...new Set(zones.read().map(({ node }) => node))];
      assert.deepEqual(nodes, parseCpuList(withMemory));
      assert.equal(zones.countNodes(), nodes.length);
    });

    it('agrees with zoneinfo in what stands still', () => {
      const still = ({ node, name, present, managed, reserve }: ZoneInfo) => {
        return { node, name, present, managed, reserve };
      };
      assert.deepEqual(zones.read().map(still), zoneinfo().map(still));
    });

    it('agrees with zoneinfo in watermarks, boost, free and free CMA pages', async () => {
      await agree(() => {
        const ours = zones.read();
        return [
          ours.map(({ watermark, boost, free, freeCma }) => ({
            ...watermark,
            boost,
            free,
            freeCma,
          })),
          zoneinfo().map(({ watermark, boost, free, freeCma }) => ({
            ...watermark,
            boost,
            free,
            freeCma,
          })),
        ];
      });
    });

    it('agrees with buddyinfo in the free blocks of each order', async () => {
      await agree(() => [
        zones.read().map(({ blocks }) => blocks.map(({ count }) => count)),
        buddyinfo(),
      ]);
    });

    it('agrees with pagetypeinfo in which migrate types have free blocks', async () => {
      await agree(() => [
        zones.read().map(({ blocks }) => blocks.map(({ migrateTypes }) => migrateTypes)),
        pagetypeinfo(),
      ]);
    });

    it('agrees with pagetypeinfo in the blocks reserved for atomic requests', async () => {
      const reserved = ({ reservedHighatomic }: ZoneDetail) => reservedHighatomic;
      await agree(() => [zones.read().map(reserved), highatomicPages()]);
    });

    it('counts free pages of high-order atomic reserves where the kernel does', () => {
      const counted = kernel.check({ btf_field: 'zone.nr_free_highatomic' }).holds;
      for (const { freeHighatomic } of zones.read()) {
        assert.equal(freeHighatomic !== undefined, counted);
      }
    });
  });
}

class LiveZones {
  readonly #object: BpfObject;
  readonly #slots: MappedArray;
  readonly #decoder: RecordDecoder<ZoneDetailRecord>;

  constructor(constants: Way['constants']) {
    this.#object = createBpfHost().open(FILE);
    this.#object.setConstant('node_count', nodeCount());
    for (const [name, value] of Object.entries(constants)) this.#object.setConstant(name, value);
    this.#object.selectPrograms(['read_zones', 'count_nodes']);
    this.#object.load();
    this.#slots = this.#object.map('zones').mapped();
    this.#decoder = recordDecoder(this.#object.layout('zone_detail'));
  }

  read(): ZoneDetail[] {
    const count = this.#object.run('read_zones').retval;
    const { bytes, stride } = this.#slots;
    return Array.from({ length: count }, (_, index) => {
      const copy = bytes.slice(index * stride, index * stride + this.#decoder.layout.size);
      const zone = zoneDetailOf(this.#decoder.decodeAll(copy)[0] as ZoneDetailRecord);
      assert(zone);
      return zone;
    });
  }

  countNodes(): number {
    return this.#object.run('count_nodes').retval;
  }

  close(): void {
    this.#slots.close();
    this.#object.close();
  }
}

/** Looks until both say the same; the last difference otherwise. */
async function agree(look: () => readonly [ours: unknown, truth: unknown]): Promise<void> {
  for (let turn = 1; ; turn++) {
    const [ours, truth] = look();
    if (turn === LOOKS || JSON.stringify(ours) === JSON.stringify(truth)) {
      assert.deepEqual(ours, truth);
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

type ZoneInfo = Omit<ZoneDetail, 'index' | 'blocks' | 'freeHighatomic' | 'reservedHighatomic'>;

/** The zones with pages, as /proc/zoneinfo has them. */
function zoneinfo(): ZoneInfo[] {
  const parts = readFileSync('/proc/zoneinfo', 'utf8').split(/^(?=Node )/m);
  return parts.map(zoneOfText).filter(({ present }) => present > 0);
}

function zoneOfText(text: string): ZoneInfo {
  const [, node = '', name = ''] = /^Node (\d+), zone\s+(\S+)/.exec(text) ?? [];
  const own = text.slice(text.indexOf('pages free'));
  const figure = (key: string) => Number(new RegExp(`\\b${key}\\s+(\\d+)`).exec(own)?.[1] ?? 0);
  const reserve = /protection: \(([^)]*)\)/.exec(own)?.[1] ?? '';
  return {
    node: Number(node),
    name,
    present: figure('present'),
    managed: figure('managed'),
    free: figure('pages free'),
    freeCma: figure('nr_free_cma'),
    watermark: { min: figure('min'), low: figure('low'), high: figure('high') },
    boost: figure('boost'),
    reserve: reserve.split(',').map(Number),
  };
}

/** Counts by order, a row a zone. */
function buddyinfo(): number[][] {
  return readFileSync('/proc/buddyinfo', 'utf8')
    .trim()
    .split('\n')
    .map((line) => numbersAfterName(line));
}

/** By zone and order, the types that have a block. The file lists types in the order of the enum. */
function pagetypeinfo(): number[][][] {
  const rows = new Map<string, number[][]>();
  for (const line of readFileSync('/proc/pagetypeinfo', 'utf8').split('\n')) {
    const [, zone, counts] = /^(Node\s+\d+, zone\s+\S+), type\s+\S+\s+(.*)$/.exec(line) ?? [];
    if (zone === undefined || counts === undefined) continue;
    const types = rows.get(zone) ?? [];
    types.push(
      counts
        .trim()
        .split(/\s+/)
        .map((count) => Number(count.replace('>', ''))),
    );
    rows.set(zone, types);
  }
  return [...rows.values()].map((types) =>
    (types[0] ?? []).map((_, order) =>
      [...types.keys()].filter((type) => (types[type]?.[order] ?? 0) > 0),
    ),
  );
}

/** Pages of the blocks that are of that type, a zone each. Each node has both tables of the file. */
function highatomicPages(): number[] {
  const text = readFileSync('/proc/pagetypeinfo', 'utf8');
  const perBlock = Number(/^Pages per block:\s+(\d+)/m.exec(text)?.[1]);
  const [head = '', ...rows] = text.slice(text.indexOf('Number of blocks type')).split('\n');
  const column = head.split(/\s+/).slice(4).indexOf('HighAtomic');
  assert(column >= 0, head);
  return rows
    .filter((row) => row.startsWith('Node') && !row.includes(', type '))
    .map((row) => (numbersAfterName(row)[column] ?? 0) * perBlock);
}

const numbersAfterName = (line: string): number[] =>
  line
    .replace(/^Node\s*\d+, zone\s+\S+/, '')
    .trim()
    .split(/\s+/)
    .map(Number);
