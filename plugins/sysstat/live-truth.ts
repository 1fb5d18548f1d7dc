/**
 * The same figures as /proc and /sys tell them, for the tests on a running kernel. Each is named
 * by where it comes from, so that a difference says whom to ask.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { pageSize } from '../../core/identity/host.js';
import type { Memory, SysstatRecords } from './memory.js';
import { hugePageSize } from './nodes.js';

/** By name, for instance `meminfo Active(anon)`, `node 1 nr_dirty`, `node 0 Normal free`. Bytes. */
export type Figures = ReadonlyMap<string, number>;

/** Our field: what vmstat and zoneinfo call it (pages), and what meminfo does (kB). */
const NAMES: Readonly<
  Record<keyof Memory, readonly [vmstat: string | undefined, meminfo: string]>
> = {
  active: [undefined, 'Active'],
  inactive: [undefined, 'Inactive'],
  activeAnon: ['nr_active_anon', 'Active(anon)'],
  inactiveAnon: ['nr_inactive_anon', 'Inactive(anon)'],
  activeFile: ['nr_active_file', 'Active(file)'],
  inactiveFile: ['nr_inactive_file', 'Inactive(file)'],
  unevictable: ['nr_unevictable', 'Unevictable'],
  dirty: ['nr_dirty', 'Dirty'],
  writeback: ['nr_writeback', 'Writeback'],
  writebackTemp: ['nr_writeback_temp', 'WritebackTmp'],
  nfsUnstable: ['nr_unstable', 'NFS_Unstable'],
  anonPages: ['nr_anon_pages', 'AnonPages'],
  mapped: ['nr_mapped', 'Mapped'],
  shmem: ['nr_shmem', 'Shmem'],
  kernelReclaimable: [undefined, 'KReclaimable'],
  slab: [undefined, 'Slab'],
  slabReclaimable: ['nr_slab_reclaimable', 'SReclaimable'],
  slabUnreclaimable: ['nr_slab_unreclaimable', 'SUnreclaim'],
  anonHugePages: ['nr_anon_transparent_hugepages', 'AnonHugePages'],
  shmemHugePages: ['nr_shmem_hugepages', 'ShmemHugePages'],
  fileHugePages: ['nr_file_hugepages', 'FileHugePages'],
};

const FIELDS = Object.entries(NAMES) as [keyof Memory, (typeof NAMES)[keyof Memory]][];

/** Everything that we say, under the names of those who say it too. */
export function figuresOf({ host, managed, free, nodes }: SysstatRecords): Figures {
  const figures = new Map<string, number>();
  const put = (name: string, bytes: number | undefined) => {
    if (bytes !== undefined) figures.set(name, bytes);
  };
  for (const [field, [vmstat, meminfo]] of FIELDS) {
    if (vmstat !== undefined) put(`vmstat ${vmstat}`, host[field]);
    put(`meminfo ${meminfo}`, host[field]);
    for (const { id, memory } of nodes) {
      if (vmstat !== undefined) put(`node ${id} ${vmstat}`, memory[field]);
      put(`node ${id} ${meminfo}`, memory[field]);
    }
  }
  put('all nodes MemTotal', managed);
  put('all nodes MemFree', free);
  for (const { id, zones } of nodes) {
    for (const zone of zones) {
      const { present, managed, free, watermark } = zone;
      for (const [key, bytes] of Object.entries({ present, managed, free, ...watermark })) {
        put(`node ${id} ${zone.name} ${key}`, bytes);
      }
    }
  }
  return figures;
}

/** The kernel's own files, as they are at one moment, unread: reading them takes memory itself. */
export interface Files {
  readonly vmstat: Buffer;
  readonly meminfo: Buffer;
  readonly zoneinfo: Buffer;
  readonly nodes: readonly { readonly id: number; readonly meminfo: Buffer }[];
}

const NODES = onlineNodes();

export function readFiles(): Files {
  return {
    vmstat: readFileSync('/proc/vmstat'),
    meminfo: readFileSync('/proc/meminfo'),
    zoneinfo: readFileSync('/proc/zoneinfo'),
    nodes: NODES.map((id) => ({
      id,
      meminfo: readFileSync(`/sys/devices/system/node/node${id}/meminfo`),
    })),
  };
}

/** Everything that these files say of the same. */
export function truthOf({ vmstat, meminfo, zoneinfo, nodes }: Files): Figures {
  const figures = new Map<string, number>();
  const pages = pageUnits();
  const put = (name: string, bytes: number) => figures.set(name, bytes);
  for (const [key = '', value] of lines(vmstat, /^(\w+) (\d+)$/)) {
    put(`vmstat ${key}`, Number(value) * pages(key));
  }
  for (const [key, value] of lines(meminfo, /^(\S+):\s+(\d+) kB$/)) {
    put(`meminfo ${key}`, Number(value) * 1024);
  }
  for (const { id, meminfo } of nodes) {
    for (const [key, value] of lines(meminfo, /^Node \d+ (\S+):\s+(\d+) kB$/)) {
      put(`node ${id} ${key}`, Number(value) * 1024);
    }
  }
  for (const key of ['MemTotal', 'MemFree']) {
    let sum = 0;
    for (const { id } of nodes) sum += figures.get(`node ${id} ${key}`) ?? 0;
    put(`all nodes ${key}`, sum);
  }
  for (const [name, bytes] of zonesOf(zoneinfo)) put(name, bytes);
  return figures;
}

export const readTruth = (): Figures => truthOf(readFiles());

/** The zones that have pages, as `node 0 Normal`. */
export function populatedZones(truth: Figures): string[] {
  return [...truth]
    .filter(([name, bytes]) => name.endsWith(' present') && bytes > 0)
    .map(([name]) => name.slice(0, -' present'.length))
    .sort();
}

export function onlineNodes(): number[] {
  return readdirSync('/sys/devices/system/node')
    .flatMap((name) => /^node(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/**
 * How far a counter may be off without being wrong: a CPU adds to it in batches of up to "vm stats
 * threshold" pages, and each may have added one and taken one back between two reads.
 */
export function batchBytes(): number {
  const text = readFileSync('/proc/zoneinfo', 'utf8');
  const thresholds = [...text.matchAll(/vm stats threshold: (\d+)/g)].map(([, n]) => Number(n));
  const cpus = readFileSync('/proc/cpuinfo', 'utf8').match(/^processor/gm)?.length ?? 1;
  return Math.max(1, ...thresholds) * cpus * pageSize();
}

/** vmstat and zoneinfo count huge pages in huge pages, whatever the kernel counts inside. */
function pageUnits(): (key: string) => number {
  const page = pageSize();
  const huge = hugePageSize();
  return (key) => (key.endsWith('hugepages') ? huge : page);
}

function* zonesOf(zoneinfo: Buffer): Generator<[string, number]> {
  const pages = pageUnits();
  let node = '';
  let zone = '';
  let isNode = false;
  for (const line of zoneinfo.toString().split('\n')) {
    const head = /^Node (\d+), zone\s+(\S+)/.exec(line);
    if (head) [, node = '', zone = ''] = head;
    // A node's own counters stand in front of those of its first zone that has pages.
    if (/^ {2}per-node stats/.test(line)) isNode = true;
    const [, key = '', value] = /^\s+(?:pages )?(\w+)\s+(\d+)$/.exec(line) ?? [];
    if (key === 'free') isNode = false;
    if (value === undefined) continue;
    const name = isNode ? `node ${node} ${key}` : `node ${node} ${zone} ${key}`;
    yield [name, Number(value) * pages(key)];
  }
}

function* lines(file: Buffer, form: RegExp): Generator<(string | undefined)[]> {
  for (const line of file.toString().split('\n')) {
    const match = form.exec(line);
    if (match) yield match.slice(1);
  }
}
