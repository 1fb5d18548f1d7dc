import type { StructLayout } from '../../core/bpf/layout.js';
import { recordDecoder } from '../../core/bpf/record.js';
import { MemWatcherError } from '../../core/errors.js';
import { atLeast0, type Zone, zoneOf } from '../../core/memory/zones.js';
import type { SysstatItems, SysstatNode } from './events.gen.js';
import type { Memory, Node, SysstatRecords } from './memory.js';

/** A slot that is older than the newest by more than this belongs to a node that went offline. */
const STALE_NS = 1e9;

type Item = keyof SysstatItems;

/** A node's record, checked; its items still in pages, and only those that the kernel has. */
interface Pages {
  readonly id: number;
  readonly readAt: number;
  readonly items: Readonly<Partial<Record<Item, number>>>;
  readonly zones: readonly Zone[];
}

/** Slots of the map `nodes` → meaning. */
export class SysstatDecoder {
  readonly #record: ReturnType<typeof recordDecoder<SysstatNode>>;
  /** In the order of the bits of `known`. */
  readonly #items: readonly Item[];
  readonly #pageSize: number;

  /** `layout` is that of `struct sysstat_node`; `pageSize` in bytes. */
  constructor(layout: StructLayout, pageSize: number) {
    const items = layout.fields.find(({ name }) => name === 'items')?.type;
    if (items?.kind !== 'struct') {
      throw new MemWatcherError('LAYOUT_INVALID', `struct ${layout.name} has no items`, {
        hint: 'the BPF object and the agent are of different builds: build both again',
      });
    }
    this.#record = recordDecoder<SysstatNode>(layout);
    this.#items = items.layout.fields.map(({ name }) => name as Item);
    this.#pageSize = pageSize;
  }

  /** `slots` by node number; `undefined` for what could not be copied. LAYOUT_INVALID if cut. */
  decode(slots: readonly (Uint8Array | undefined)[]): SysstatRecords {
    const seen = slots.flatMap((slot, id) => (slot && this.#pages(slot, id)) ?? []);
    const newest = Math.max(0, ...seen.map(({ readAt }) => readAt));
    const fresh = seen.filter(({ readAt }) => newest - readAt <= STALE_NS);
    const zones = fresh.flatMap((node) => node.zones);
    return {
      host: this.#memory((item) => total(fresh.map(({ items }) => items[item]))),
      managed: total(zones.map(({ managed }) => managed)) ?? 0,
      free: total(zones.map(({ free }) => free)) ?? 0,
      nodes: fresh.map(({ id, items, zones }): Node => {
        return { id, memory: this.#memory((item) => items[item]), zones };
      }),
    };
  }

  #pages(slot: Uint8Array, id: number): Pages | undefined {
    const view = new DataView(slot.buffer, slot.byteOffset, slot.byteLength);
    const record = this.#record.decode(view, 0, slot.byteLength);
    if (record.read_at === 0) return undefined;
    const items: Partial<Record<Item, number>> = {};
    for (const [bit, item] of this.#items.entries()) {
      if (Math.floor(record.known / 2 ** bit) % 2 === 1) items[item] = record.items[item];
    }
    const zones = record.zones.flatMap((zone) => zoneOf(zone, this.#pageSize) ?? []);
    return { id, readAt: record.read_at, items, zones };
  }

  #memory(pages: (item: Item) => number | undefined): Memory {
    const bytes = (item: Item) => {
      const count = pages(item);
      return count === undefined ? undefined : this.#bytes(count);
    };
    const both = (a: Item, b: Item) => total([bytes(a), bytes(b)]);
    return {
      active: both('active_anon', 'active_file'),
      inactive: both('inactive_anon', 'inactive_file'),
      activeAnon: bytes('active_anon'),
      inactiveAnon: bytes('inactive_anon'),
      activeFile: bytes('active_file'),
      inactiveFile: bytes('inactive_file'),
      unevictable: bytes('unevictable'),
      dirty: bytes('dirty'),
      writeback: bytes('writeback'),
      writebackTemp: bytes('writeback_temp'),
      nfsUnstable: bytes('nfs_unstable'),
      anonPages: bytes('anon_mapped'),
      mapped: bytes('file_mapped'),
      shmem: bytes('shmem'),
      kernelReclaimable: both('slab_reclaimable', 'kernel_misc_reclaimable'),
      slab: both('slab_reclaimable', 'slab_unreclaimable'),
      slabReclaimable: bytes('slab_reclaimable'),
      slabUnreclaimable: bytes('slab_unreclaimable'),
      anonHugePages: bytes('anon_huge'),
      shmemHugePages: bytes('shmem_huge'),
      fileHugePages: bytes('file_huge'),
    };
  }

  /** A sum that is below 0 for a moment counts as 0, as in node_page_state() of the kernel. */
  #bytes(pages: number): number {
    return atLeast0(pages) * this.#pageSize;
  }
}

/** The sum; undefined if a part is, or if there is none. */
function total(values: readonly (number | undefined)[]): number | undefined {
  if (values.length === 0) return undefined;
  let sum = 0;
  for (const value of values) {
    if (value === undefined) return undefined;
    sum += value;
  }
  return sum;
}
