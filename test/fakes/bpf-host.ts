/**
 * BPF in memory, for a plugin's unit tests: objects whose types are the real object file's (or
 * given layouts), whose maps and rings the test fills, and whose programs are functions of the test.
 */
import { existsSync, readFileSync } from 'node:fs';
import { Btf } from '../../core/bpf/btf.js';
import { writeConstant } from '../../core/bpf/constant.js';
import type {
  AttachTarget,
  BpfGlobal,
  BpfHost,
  BpfLink,
  BpfLoader,
  BpfMap,
  BpfObject,
  LoadedBpf,
  LoadOptions,
  MapBatch,
  MappedArray,
  MapSpec,
  ProgramInfo,
  ProgramSpec,
  RingReader,
  RunOptions,
  UprobeKind,
  UprobeTarget,
} from '../../core/bpf/host.js';
import type { StructLayout } from '../../core/bpf/layout.js';
import { isUprobe } from '../../core/bpf/section.js';
import { structLayout } from '../../core/bpf/struct.js';
import { MemWatcherError } from '../../core/errors.js';

export interface FakeProgram {
  readonly section: string;
  /** What `run` does and returns. */
  readonly run?: (options: RunOptions) => number;
  /** What an iterator's pass writes. */
  readonly rows?: () => Uint8Array;
  /** Thrown by `load` if this program is selected, or by `attach`. */
  readonly loadError?: Error;
  readonly attachError?: Error;
}

export interface FakeObjectSpec {
  /** The compiled object whose BTF gives layouts and constants. */
  readonly file?: string;
  readonly layouts?: Readonly<Record<string, StructLayout>>;
  readonly programs?: Readonly<Record<string, FakeProgram>>;
  readonly maps?: readonly (Partial<MapSpec> & { readonly name: string })[];
}

const PER_CPU_ARRAY = 6;

/** A map as a table, a block of memory and a queue of records at once. */
export class FakeMap implements BpfMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly entries = new Map<string, Uint8Array>();
  /** What `mapped` shows; the test writes here, or puts memory here that somebody else writes. */
  bytes: Uint8Array;
  /** What the next `drain` hands out; of a queue, what was appended. */
  readonly records: Uint8Array[] = [];
  /** Readers and mappings not yet closed. */
  open = 0;
  #reader: RingReader | undefined;

  constructor(spec: Partial<MapSpec> & { readonly name: string }, id: number) {
    this.spec = {
      type: 2,
      keySize: 4,
      valueSize: 8,
      maxEntries: 1,
      mmapable: false,
      ...spec,
    };
    this.id = id;
    this.bytes = new Uint8Array(this.#stride * this.spec.maxEntries);
  }

  memory(): number {
    return this.bytes.length;
  }

  get fullness(): number | undefined {
    const { used, size } = this.#reader?.fullness ?? {};
    return used === undefined || size === undefined ? undefined : used / size;
  }

  lookup(key: Uint8Array): Uint8Array | undefined {
    const value = this.entries.get(hex(key));
    if (value) return value.slice();
    // Arrays have every element from the start.
    return this.spec.type === PER_CPU_ARRAY || this.spec.type === 2
      ? new Uint8Array(this.#stride)
      : undefined;
  }

  update(key: Uint8Array, value: Uint8Array): void {
    if (this.spec.keySize === 0) {
      this.records.push(value.slice());
      return;
    }
    this.entries.set(hex(key), value.slice());
  }

  delete(key: Uint8Array): boolean {
    return this.entries.delete(hex(key));
  }

  *keys(): IterableIterator<Uint8Array> {
    for (const key of this.entries.keys()) yield new Uint8Array(Buffer.from(key, 'hex'));
  }

  *batches(size: number): IterableIterator<MapBatch> {
    const all = [...this.entries];
    for (let from = 0; from < all.length; from += size) {
      const some = all.slice(from, from + size);
      const keys = Buffer.from(some.map(([key]) => key).join(''), 'hex');
      const values = Buffer.concat(some.map(([, value]) => value));
      yield { count: some.length, keys, values };
    }
  }

  deleteMany(keys: Uint8Array): Uint8Array {
    return Uint8Array.from(split(keys, this.spec.keySize), (key) => Number(this.delete(key)));
  }

  takeIf(key: Uint8Array, isMeant: (value: Uint8Array) => boolean): Uint8Array | undefined {
    const value = this.entries.get(hex(key));
    if (value === undefined || !isMeant(value)) return undefined;
    this.delete(key);
    return value;
  }

  updateMany(keys: Uint8Array, values: Uint8Array): number {
    const each = split(values, this.spec.valueSize);
    let written = 0;
    for (const [n, key] of split(keys, this.spec.keySize).entries()) {
      if (!this.entries.has(hex(key)) && this.entries.size >= this.spec.maxEntries) break;
      this.update(key, each[n] ?? new Uint8Array(0));
      written++;
    }
    return written;
  }

  pop(): Uint8Array | undefined {
    return this.records.shift();
  }

  mapped(): MappedArray {
    const close = this.#opened();
    const { maxEntries: entries } = this.spec;
    return { bytes: this.bytes, stride: this.#stride, entries, close };
  }

  ring(): RingReader {
    const opened = this.#opened();
    const close = () => {
      this.#reader = undefined;
      opened();
    };
    const { records, spec } = this;
    this.#reader = {
      drain(onRecord) {
        const ready = records.splice(0);
        for (const record of ready) {
          onRecord(new DataView(record.buffer, record.byteOffset, record.length), 0, record.length);
        }
        return ready.length;
      },
      get fullness() {
        const used = records.reduce((sum, record) => sum + record.length + 8, 0);
        return { used, size: spec.maxEntries };
      },
      close,
    };
    return this.#reader;
  }

  get #stride(): number {
    return (this.spec.valueSize + 7) & ~7;
  }

  #opened(): () => void {
    this.open++;
    let closed = false;
    return () => {
      if (!closed) this.open--;
      closed = true;
    };
  }
}

/** An object that remembers what was done with it. */
export class FakeObject implements BpfObject {
  readonly programs: readonly ProgramSpec[];
  readonly constants = new Map<string, number | bigint | boolean>();
  readonly globals = new Map<string, bigint>();
  readonly hooks = new Map<string, string>();
  readonly omitted = new Set<string>();
  readonly onDemand = new Set<string>();
  readonly attached = new Map<string, AttachTarget>();
  readonly uprobeKinds = new Map<string, UprobeKind>();
  /** Those that are attached now, oldest first. */
  readonly uprobes = new Set<{ readonly program: string; readonly target: UprobeTarget }>();
  selected: readonly string[];
  loaded = false;
  closed = false;
  readonly #spec: FakeObjectSpec;
  readonly #maps = new Map<string, FakeMap>();
  readonly #btf: Btf | undefined;

  constructor(spec: FakeObjectSpec) {
    this.#spec = spec;
    this.#btf = spec.file === undefined ? undefined : Btf.ofObject(readFileSync(spec.file));
    this.programs = Object.entries(spec.programs ?? {}).map(([name, { section }]) => ({
      name,
      section,
    }));
    this.selected = this.programs.map((program) => program.name);
    for (const [index, map] of (spec.maps ?? []).entries()) {
      this.#maps.set(map.name, new FakeMap(map, index + 1));
    }
  }

  get maps(): readonly MapSpec[] {
    return [...this.#maps.values()].map((map) => map.spec);
  }

  setConstant(name: string, value: number | bigint | boolean): void {
    const global = this.#btf?.globals('.rodata').get(name);
    if (this.#btf && !global) {
      throw new MemWatcherError('LAYOUT_INVALID', `${this.#spec.file} has no constant ${name}`);
    }
    if (this.#btf && global) {
      writeConstant(new Uint8Array(global.size), name, this.#btf.resolve(global.type), value);
    }
    this.constants.set(name, value);
  }

  setMaxEntries(map: string, maxEntries: number): void {
    const { spec, id } = this.map(map);
    this.#maps.set(map, new FakeMap({ ...spec, maxEntries }, id));
  }

  allocateOnDemand(map: string): void {
    this.onDemand.add(map);
  }

  setHook(program: string, hook: string): void {
    this.hooks.set(program, hook);
  }

  selectPrograms(names: readonly string[]): void {
    this.selected = names;
  }

  omitMaps(names: readonly string[]): void {
    for (const name of names) this.omitted.add(name);
  }

  load(): void {
    for (const name of this.selected) {
      const error = this.#program(name).loadError;
      if (error) throw error;
    }
    this.loaded = true;
  }

  attach(program: string, target: AttachTarget = {}): BpfLink {
    const { attachError, rows } = this.#program(program);
    if (attachError) throw attachError;
    this.attached.set(program, target);
    return {
      program,
      readAll: () => rows?.() ?? new Uint8Array(0),
      close: () => void this.attached.delete(program),
    };
  }

  setUprobeKind(program: string, kind: UprobeKind): void {
    this.#program(program);
    this.uprobeKinds.set(program, kind);
  }

  /** As a kernel does that takes only processes for processes. */
  attachUprobes(program: string, target: UprobeTarget): BpfLink {
    const { attachError } = this.#program(program);
    if (attachError) throw attachError;
    const { pid = process.pid } = target;
    if (pid !== process.pid && existsSync(`/proc/self/task/${pid}`)) {
      throw new MemWatcherError('TARGET_GONE', `${pid} is a thread`);
    }
    const probe = { program, target };
    this.uprobes.add(probe);
    return {
      program,
      readAll: () => new Uint8Array(0),
      close: () => void this.uprobes.delete(probe),
    };
  }

  run(program: string, options: RunOptions = {}): { retval: number } {
    return { retval: this.#program(program).run?.(options) ?? 0 };
  }

  map(name: string): FakeMap {
    const map = this.#maps.get(name);
    if (!map) throw new MemWatcherError('INTERNAL', `the fake object has no map ${name}`);
    return map;
  }

  /** Kept by name: the object file does not say where libbpf puts it. */
  global(name: string): BpfGlobal {
    const section = ['.bss', '.data'].find((one) => this.#btf?.globals(one).has(name));
    const variable = section && this.#btf?.globals(section).get(name);
    if (!this.#btf || !variable) {
      throw new MemWatcherError('LAYOUT_INVALID', `the fake object has no global variable ${name}`);
    }
    const type = this.#btf.resolve(variable.type);
    return {
      get: () => this.globals.get(name) ?? 0n,
      set: (value) => {
        writeConstant(new Uint8Array(variable.size), name, type, value);
        this.globals.set(name, BigInt.asUintN(variable.size * 8, BigInt(value)));
      },
      close: () => undefined,
    };
  }

  layout(struct: string): StructLayout {
    const given = this.#spec.layouts?.[struct];
    if (given) return given;
    if (this.#btf) return structLayout(this.#btf, struct);
    throw new MemWatcherError('LAYOUT_INVALID', `the fake object has no struct ${struct}`);
  }

  programInfo(program: string): ProgramInfo {
    this.#program(program);
    return {
      id: 1,
      runCount: 0,
      runTimeNs: 0,
      recursionMisses: 0,
      verifiedInstructions: undefined,
    };
  }

  close(): void {
    this.attached.clear();
    this.uprobes.clear();
    this.closed = true;
  }

  #program(name: string): FakeProgram {
    const program = this.#spec.programs?.[name];
    if (!program) throw new MemWatcherError('INTERNAL', `the fake object has no program ${name}`);
    return program;
  }
}

/** Opens fakes; `objects` are those that were opened, oldest first. */
export class FakeBpfHost implements BpfHost {
  readonly objects: FakeObject[] = [];
  readonly #spec: (file: string) => FakeObjectSpec;

  constructor(spec: FakeObjectSpec | ((file: string) => FakeObjectSpec)) {
    this.#spec = typeof spec === 'function' ? spec : () => spec;
  }

  open(file: string): FakeObject {
    const object = new FakeObject(this.#spec(file));
    this.objects.push(object);
    return object;
  }
}

/**
 * What a plugin asks for, already loaded: `object`'s programs attached but those only run. `parts`
 * are those that this kernel has, with the choice of each.
 */
export function fakeLoader(
  object: FakeObject,
  strategy = 'fake',
  parts: ReadonlyMap<string, string> = new Map(),
): BpfLoader {
  return {
    load({
      constants = {},
      maxEntries = {},
      without = [],
      beforeAttach,
    }: LoadOptions = {}): LoadedBpf {
      for (const [name, value] of Object.entries(constants)) object.setConstant(name, value);
      for (const [name, entries] of Object.entries(maxEntries)) object.setMaxEntries(name, entries);
      object.load();
      beforeAttach?.(object);
      const attached = object.programs.filter(
        ({ section }) => !/^(raw_tp|syscall)/.test(section) && !isUprobe(section),
      );
      const links = attached.map(({ name }) => [name, object.attach(name)] as const);
      const programs = object.programs.map(({ name }) => name);
      return {
        strategy,
        programs,
        object,
        links: new Map(links),
        parts: new Map([...parts].filter(([part]) => !without.includes(part))),
        lacks: [],
        close: () => object.close(),
      };
    },
  };
}

function split(bytes: Uint8Array, size: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
  return parts;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
