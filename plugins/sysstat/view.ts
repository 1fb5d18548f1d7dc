import { formatBytes } from '../../core/cli/format.js';
import type { Column, Table, View, ViewContext } from '../../core/cli/view.js';
import { MemWatcherError } from '../../core/errors.js';
import type { Zone } from '../../core/memory/zones.js';
import type { Memory, SysstatRecords } from './memory.js';

/** Title and field, and how early the column goes when the terminal is narrow. */
type Field = readonly [title: string, field: keyof Memory, priority: number];

/** The original's columns, in its order and with its titles. */
const LISTS: readonly Field[] = [
  ['ACTIVE', 'active', 0],
  ['INACTVE', 'inactive', 0],
  ['ANON_ACT', 'activeAnon', 1],
  ['ANON_INA', 'inactiveAnon', 1],
  ['FILE_ACT', 'activeFile', 1],
  ['FILE_INA', 'inactiveFile', 1],
  ['UNEVICT', 'unevictable', 2],
  ['DIRTY', 'dirty', 2],
  ['WRITEBK', 'writeback', 3],
  ['ANONPAG', 'anonPages', 2],
  ['MAP', 'mapped', 3],
  ['SHMEM', 'shmem', 2],
];

const KERNEL: readonly Field[] = [
  ['KRECLM', 'kernelReclaimable', 1],
  ['SLAB', 'slab', 0],
  ['SRECLMA', 'slabReclaimable', 1],
  ['SUNRECL', 'slabUnreclaimable', 1],
  ['NFS_UNSTABLE', 'nfsUnstable', 4],
  ['WRITEBACKTMP', 'writebackTemp', 4],
  ['ANON_HUGE', 'anonHugePages', 0],
  ['SHM_HUGE', 'shmemHugePages', 2],
  ['FILE_HUGE', 'fileHugePages', 3],
];

const NODE: Column = { title: 'NODE', align: 'left', priority: 0 };

const right = (title: string, priority: number): Column => ({ title, align: 'right', priority });

export const view: View<SysstatRecords> = {
  alias: 's',
  summary: 'memory of the host, its NUMA nodes and zones',
  options: [
    {
      flags: '--node <number...>',
      description: 'only these NUMA nodes; the row of the host stays',
      config: (value) => ({ nodes: (Array.isArray(value) ? value : [value]).map(nodeNumber) }),
    },
  ],
  tables: (records, context) => [
    memoryTable('Memory', LISTS, records, context),
    memoryTable('Kernel memory, huge pages', KERNEL, records, context),
    zoneTable(records, context),
  ],
  overview: (records, context) => [overviewTable(records, context)],
  digest: ({ managed, free, host }) => ({ total: managed, free, ...host }),
};

function nodeNumber(value: unknown): number {
  const text = String(value);
  if (/^\d+$/.test(text)) return Number(text);
  throw new MemWatcherError('USAGE', `--node: ${text} is no NUMA node`, {
    hint: 'write its number, for instance --node 0; /sys/devices/system/node lists them',
  });
}

function memoryTable(
  title: string,
  fields: readonly Field[],
  { host, nodes }: SysstatRecords,
  { bytes }: ViewContext,
): Table {
  const row = (name: string, memory: Memory) => [
    name,
    ...fields.map(([, field]) => formatBytes(memory[field], bytes)),
  ];
  return {
    title,
    columns: [NODE, ...fields.map(([name, , priority]) => right(name, priority))],
    rows: [row('host', host), ...nodes.map(({ id, memory }) => row(String(id), memory))],
  };
}

const ZONE_COLUMNS: readonly Column[] = [
  NODE,
  { title: 'ZONE', align: 'left', priority: 0 },
  right('FREE', 0),
  right('MIN', 1),
  right('LOW', 1),
  right('HIGH', 1),
  right('MANAGED', 0),
  right('PRESENT', 2),
  { title: 'STATE', align: 'left', priority: 1 },
];

function zoneTable({ nodes }: SysstatRecords, { bytes }: ViewContext): Table {
  const cell = (value: number) => formatBytes(value, bytes);
  const row = (id: number, zone: Zone) => [
    String(id),
    zone.name,
    cell(zone.free),
    cell(zone.watermark.min),
    cell(zone.watermark.low),
    cell(zone.watermark.high),
    cell(zone.managed),
    cell(zone.present),
    pressure(zone),
  ];
  return {
    title: 'Zones',
    columns: ZONE_COLUMNS,
    rows: nodes.flatMap(({ id, zones }) => zones.map((zone) => row(id, zone))),
  };
}

/** What the allocator does at this amount of free memory. */
function pressure({ free, managed, watermark }: Zone): string {
  if (managed === 0) return 'empty';
  if (free < watermark.min) return 'below min: requests reclaim';
  if (free < watermark.low) return 'below low: kswapd reclaims';
  return free < watermark.high ? 'below high' : 'ok';
}

function overviewTable(records: SysstatRecords, { bytes }: ViewContext): Table {
  const { host, managed, free, nodes } = records;
  const cells: readonly (readonly [string, number | undefined, number])[] = [
    ['TOTAL', managed, 0],
    ['FREE', free, 0],
    ['ACTIVE', host.active, 1],
    ['INACTVE', host.inactive, 1],
    ['ANONPAG', host.anonPages, 2],
    ['MAP', host.mapped, 4],
    ['SHMEM', host.shmem, 2],
    ['SLAB', host.slab, 1],
    ['KRECLM', host.kernelReclaimable, 4],
    ['DIRTY', host.dirty, 2],
    ['WRITEBK', host.writeback, 3],
    ['ANON_HUGE', host.anonHugePages, 3],
  ];
  const tight = nodes.flatMap(({ id, zones }) =>
    zones
      .filter((zone) => zone.managed > 0 && zone.free < zone.watermark.low)
      .map((zone) => `node ${id} ${zone.name} is ${pressure(zone)}`),
  );
  return {
    title: 'System memory',
    columns: cells.map(([title, , priority]) => right(title, priority)),
    rows: [cells.map(([, value]) => formatBytes(value, bytes))],
    ...(tight.length === 0 ? {} : { footer: tight.join('; ') }),
  };
}
