/**
 * The programs on the kernel's allocators: attached while something of theirs is followed, and told
 * what that is. Frees are attached before allocations and detached after them, so that no free of
 * what is recorded goes by.
 */
import { programType } from '../../../core/bpf/feature.js';
import type { BpfLink, BpfMap, LoadedBpf, MappedArray } from '../../../core/bpf/host.js';
import { LiveArray } from '../../../core/bpf/live-columns.js';
import type { Closable } from '../../../core/scope.js';
import { isFree } from './counts.js';
import { type Followed, GROUPS, type Group } from './decision.js';
import { NAME_SIZE, type Origins, tablesOf } from './origins.js';
import { WALK_PROGRAMS } from './readings.js';
import type { SlabCache } from './slabinfo.js';

export class Tracer implements Closable {
  readonly #loaded: LoadedBpf;
  readonly #origins: Origins;
  readonly #orders: MappedArray;
  readonly #links = new Map<Group, readonly BpfLink[]>();
  readonly #names: Table;
  readonly #sizes: Table;

  constructor(loaded: LoadedBpf, origins: Origins) {
    this.#loaded = loaded;
    this.#origins = origins;
    this.#orders = loaded.object.map('orders').mapped();
    this.#names = new Table(loaded.object.map('names'));
    this.#sizes = new Table(loaded.object.map('sizes'));
  }

  /** Whether no tracepoint tells the cache. */
  get bySize(): boolean {
    return !this.#loaded.programs.includes('raw_cache_alloc');
  }

  get attached(): readonly Group[] {
    return [...this.#links.keys()];
  }

  follow(followed: Followed, caches: readonly SlabCache[]): void {
    const tables = tablesOf(followed.caches, caches, this.bySize, this.#origins);
    const names = new Map([...tables.names].map(([name, number]) => [nameKey(name), number]));
    const sizes = new Map([...tables.sizes].map(([size, number]) => [sizeKey(size), number]));
    const changed = this.#names.become(names);
    if (this.#sizes.become(sizes) || changed) this.#lookAgain();
    this.#set('slab', followed.caches.length > 0);
    this.#set('pages', followed.pages);
    this.#set('percpu', followed.percpu);
  }

  close(): void {
    for (const group of GROUPS) this.#set(group, false);
  }

  /** What programs learned of caches counts no more. */
  #lookAgain(): void {
    const orders = new LiveArray(this.#orders);
    orders.storeU32(0, orders.u32(0) + 1);
  }

  #set(group: Group, on: boolean): void {
    const links = this.#links.get(group);
    if (on === (links !== undefined)) return;
    if (links) {
      this.#links.delete(group);
      closeAll(links);
      return;
    }
    this.#links.set(group, this.#attach(group));
  }

  /** All, or none and what refused. */
  #attach(group: Group): readonly BpfLink[] {
    const programs = this.#loaded.programs.filter((program) => groupOf(program) === group);
    const links: BpfLink[] = [];
    try {
      for (const program of programs.sort((a, b) => Number(isFree(b)) - Number(isFree(a)))) {
        links.unshift(this.#loaded.object.attach(program));
      }
      return links;
    } catch (error) {
      closeAll(links);
      throw error;
    }
  }
}

/**
 * Throws what refuses to attach: one program of each allocator and program type, for `verify`. The
 * program names the strategy or part that it belongs to. It is one that sees frees: of these nothing
 * was recorded yet.
 */
export function tryAttaching({ object, programs }: LoadedBpf): void {
  const tried = new Set<string>();
  for (const { name, section } of object.programs) {
    const group = programs.includes(name) && isFree(name) ? groupOf(name) : undefined;
    const kind = `${group} ${programType(section)}`;
    if (group === undefined || tried.has(kind)) continue;
    tried.add(kind);
    object.attach(name).close();
  }
}

/** Allocations first: they are the first of the list. */
function closeAll(links: readonly BpfLink[]): void {
  const errors: unknown[] = [];
  for (const link of links) {
    try {
      link.close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0)
    throw new AggregateError(errors, 'detaching from kernel allocators failed');
}

function groupOf(program: string): Group | undefined {
  if (WALK_PROGRAMS.includes(program)) return undefined;
  if (program.includes('_page_')) return 'pages';
  return program.includes('_percpu_') ? 'percpu' : 'slab';
}

/** A hash table of the object, and what user space has put into it. */
class Table {
  readonly #map: BpfMap;
  /** By the key's bytes, as text. */
  #held = new Map<string, number>();

  constructor(map: BpfMap) {
    this.#map = map;
  }

  /** Whether it had to change. */
  become(wanted: ReadonlyMap<string, number>): boolean {
    const gone = [...this.#held.keys()].filter((key) => !wanted.has(key));
    const fresh = [...wanted].filter(([key, number]) => this.#held.get(key) !== number);
    for (const key of gone) this.#map.delete(bytesOf(key));
    for (const [key, number] of fresh) {
      this.#map.update(bytesOf(key), new Uint8Array(new Uint32Array([number]).buffer));
    }
    this.#held = new Map(wanted);
    return gone.length + fresh.length > 0;
  }
}

const bytesOf = (key: string) => new Uint8Array(Buffer.from(key, 'latin1'));

/** NUL-padded; one byte less than there is room for. */
const nameKey = (name: string) => name.slice(0, NAME_SIZE - 1).padEnd(NAME_SIZE, '\0');

const sizeKey = (key: number) => Buffer.from(new Uint32Array([key]).buffer).toString('latin1');
