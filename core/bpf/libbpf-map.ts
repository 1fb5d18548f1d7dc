import { MemWatcherError } from '../errors.js';
import { fdInfo } from './fdinfo.js';
import type { BpfClosable, BpfMap, MapBatch, MappedArray, MapSpec, RingReader } from './host.js';
import type { LibbpfApi, Pointer } from './libbpf-api.js';
import { type BatchTarget, batchesOf, deleteMany, updateMany } from './libbpf-batch.js';
import { type Mapping, mapMemory } from './libbpf-memory.js';
import { takeIf } from './libbpf-take.js';
import { ENOENT, errnoText } from './refusal.js';
import { MappedRing } from './ring.js';

/** linux/bpf.h. */
const PER_CPU_TYPES = [5, 6, 10, 21];
const RING_BUFFER = 27;
const NO_PREALLOCATION = 1 << 0;
const MMAPABLE = 1 << 10;
const READ_ONLY_FOR_PROGRAMS = 1 << 7;

/** A map of an object, before load only its spec, after load alive. */
export class LibbpfMap implements BpfMap {
  readonly #api: LibbpfApi;
  readonly #pointer: Pointer;
  readonly #owned: Set<BpfClosable>;
  #spec: MapSpec;
  #descriptor = -1;
  #reader: MappedRing | undefined;

  /** `owned` holds the open mappings: the object closes them with itself. */
  constructor(api: LibbpfApi, pointer: Pointer, owned: Set<BpfClosable>) {
    this.#api = api;
    this.#pointer = pointer;
    this.#owned = owned;
    this.#spec = readSpec(api, pointer);
  }

  get spec(): MapSpec {
    return this.#spec;
  }

  setMaxEntries(entries: number): void {
    const error = this.#api.setMaxEntries(this.#pointer, entries);
    if (error < 0) throw this.#failed(`hold ${entries} entries in`, error);
    this.#spec = readSpec(this.#api, this.#pointer);
  }

  allocateOnDemand(): void {
    const flags = this.#api.mapFlags(this.#pointer) | NO_PREALLOCATION;
    const error = this.#api.setMapFlags(this.#pointer, flags);
    if (error < 0) throw this.#failed('allocate on demand the elements of', error);
  }

  omit(): void {
    this.#api.setAutocreate(this.#pointer, false);
  }

  /** The object was loaded: libbpf may have rounded sizes up, and there is a descriptor. */
  loaded(): void {
    this.#spec = readSpec(this.#api, this.#pointer);
    this.#descriptor = this.#api.mapFd(this.#pointer);
  }

  /** INTERNAL if it is not in the kernel. */
  get fd(): number {
    return this.#fd;
  }

  get inKernel(): boolean {
    return this.#descriptor >= 0;
  }

  /** The object was closed: libbpf's map is gone, and its descriptor may be another's now. */
  gone(): void {
    this.#descriptor = -1;
  }

  /** What a global of this map is before load, as libbpf's memory. */
  initialValue(): Pointer | null {
    return this.#api.initialValue(this.#pointer, [0]);
  }

  get id(): number {
    return fdInfo(this.#fd).get('map_id') ?? 0;
  }

  memory(): number {
    return fdInfo(this.#fd).get('memlock') ?? 0;
  }

  get fullness(): number | undefined {
    const { used, size } = this.#reader?.fullness ?? {};
    return used === undefined || size === undefined ? undefined : used / size;
  }

  lookup(key: Uint8Array): Uint8Array | undefined {
    const value = new Uint8Array(this.#valueBytes);
    const error = this.#api.lookup(this.#fd, this.#checked(key, 'key'), value);
    if (error === -ENOENT) return undefined;
    if (error < 0) throw this.#failed('read an element of', error);
    return value;
  }

  update(key: Uint8Array, value: Uint8Array): void {
    // The kernel wants no key where there is none: of a queue, `update` appends.
    const keyed = this.#checked(key, 'key').length > 0 ? key : null;
    const error = this.#api.update(this.#fd, keyed, this.#checked(value, 'value'), 0);
    if (error < 0) throw this.#failed('update', error);
  }

  delete(key: Uint8Array): boolean {
    const error = this.#api.deleteKey(this.#fd, this.#checked(key, 'key'));
    if (error < 0 && error !== -ENOENT) throw this.#failed('delete a key of', error);
    return error === 0;
  }

  *keys(): IterableIterator<Uint8Array> {
    const { keySize, maxEntries } = this.spec;
    let previous: Uint8Array | null = null;
    // Bounded: a hash starts anew when the previous key was deleted meanwhile.
    for (let count = 0; count < maxEntries; count++) {
      const key: Uint8Array = new Uint8Array(keySize);
      const error = this.#api.nextKey(this.#fd, previous, key);
      if (error === -ENOENT) return;
      if (error < 0) throw this.#failed('read the keys of', error);
      yield key.slice();
      previous = key;
    }
  }

  batches(size: number): IterableIterator<MapBatch> {
    return batchesOf(this.#api, this.#target, size);
  }

  deleteMany(keys: Uint8Array): Uint8Array {
    return deleteMany(this.#api, this.#target, keys);
  }

  takeIf(key: Uint8Array, isMeant: (value: Uint8Array) => boolean): Uint8Array | undefined {
    return takeIf(this.#api, this.#target, this.#checked(key, 'key'), isMeant);
  }

  updateMany(keys: Uint8Array, values: Uint8Array): number {
    return updateMany(this.#api, this.#target, keys, values);
  }

  pop(): Uint8Array | undefined {
    const value = new Uint8Array(this.#valueBytes);
    const error = this.#api.lookupAndDelete(this.#fd, null, value);
    if (error === -ENOENT) return undefined;
    if (error < 0) throw this.#failed('take an element of', error);
    return value;
  }

  mapped(): MappedArray {
    const { mmapable, valueSize, maxEntries: entries } = this.spec;
    if (!mmapable) {
      throw new MemWatcherError('BPF_MAP_FAILED', `the map ${this.#name} cannot be mapped`, {
        hint: 'declare it as an array with BPF_F_MMAPABLE',
      });
    }
    const stride = (valueSize + 7) & ~7;
    const mapping = this.#map({
      length: this.#wholePages(stride * entries),
      offset: 0,
      writable: ((fdInfo(this.#fd).get('map_flags') ?? 0) & READ_ONLY_FOR_PROGRAMS) === 0,
    });
    const bytes = new Uint8Array(mapping.buffer, 0, stride * entries);
    const close = () => {
      this.#owned.delete(array);
      mapping.close();
    };
    const array: MappedArray = { bytes, stride, entries, close };
    this.#owned.add(array);
    return array;
  }

  ring(): RingReader {
    const { type, maxEntries: size } = this.spec;
    if (type !== RING_BUFFER) {
      throw new MemWatcherError('BPF_MAP_FAILED', `the map ${this.#name} is no ring buffer`);
    }
    if (this.#reader) {
      throw new MemWatcherError('BPF_MAP_FAILED', `the ring ${this.#name} has a reader already`);
    }
    const pageSize = this.#api.pageSize();
    const consumer = this.#map({ length: pageSize, offset: 0, writable: true });
    let producer: Mapping;
    try {
      const length = pageSize + 2 * size;
      producer = this.#map({ length, offset: pageSize, writable: false });
    } catch (error) {
      consumer.close();
      throw error;
    }
    const reader = new MappedRing({
      consumer: consumer.buffer,
      producer: producer.buffer,
      pageSize,
      size,
      release: () => {
        this.#reader = undefined;
        this.#owned.delete(reader);
        producer.close();
        consumer.close();
      },
    });
    this.#reader = reader;
    this.#owned.add(reader);
    return reader;
  }

  get #fd(): number {
    if (this.#descriptor >= 0) return this.#descriptor;
    throw new MemWatcherError('BPF_MAP_FAILED', `the map ${this.#name} is not in the kernel`, {
      hint: 'it is there from load to close, unless the strategy omits it',
    });
  }

  get #target(): BatchTarget {
    const { keySize, valueSize, maxEntries } = this.spec;
    return { fd: this.#fd, name: this.#name, keySize, valueSize, maxEntries };
  }

  get #name(): string {
    return this.#spec.name;
  }

  get #valueBytes(): number {
    const { type, valueSize } = this.spec;
    if (!PER_CPU_TYPES.includes(type)) return valueSize;
    return ((valueSize + 7) & ~7) * this.#api.cpus();
  }

  #map(range: { length: number; offset: number; writable: boolean }): Mapping {
    return mapMemory(this.#api, { fd: this.#fd, name: this.#name }, range);
  }

  #wholePages(bytes: number): number {
    const page = this.#api.pageSize();
    return Math.ceil(bytes / page) * page;
  }

  #checked(bytes: Uint8Array, what: 'key' | 'value'): Uint8Array {
    const size = what === 'key' ? this.spec.keySize : this.#valueBytes;
    if (bytes.length === size) return bytes;
    throw new MemWatcherError(
      'BPF_MAP_FAILED',
      `a ${what} of the map ${this.#name} has ${size} bytes, not ${bytes.length}`,
    );
  }

  #failed(doing: string, error: number): MemWatcherError {
    const message = `cannot ${doing} the map ${this.#name}: ${errnoText(error)}`;
    return new MemWatcherError('BPF_MAP_FAILED', message);
  }
}

function readSpec(api: LibbpfApi, pointer: Pointer): MapSpec {
  const name = api.mapName(pointer);
  return {
    // libbpf puts the object's name before those of .rodata, .bss and .data.
    name: api.mapIsInternal(pointer) ? name.slice(Math.max(0, name.indexOf('.'))) : name,
    type: api.mapType(pointer),
    keySize: api.mapKeySize(pointer),
    valueSize: api.mapValueSize(pointer),
    maxEntries: api.mapMaxEntries(pointer),
    mmapable: (api.mapFlags(pointer) & MMAPABLE) !== 0,
  };
}
