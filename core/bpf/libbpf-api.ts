/**
 * What is called of libbpf and libc, declared once. Control path only: nothing here is called per
 * event. Pointers are bigints, as koffi gives them.
 */
import koffi from 'koffi';
import { MemWatcherError } from '../errors.js';

export type Pointer = bigint;

/** The number of bpf(2) is each architecture's own. */
const BPF_SYSCALL = process.arch === 'arm64' ? 280 : 321;

type OnPrint = (level: number, format: Pointer, args: Pointer) => number;

export type LibbpfApi = ReturnType<typeof declare>;

let loaded: LibbpfApi | undefined;

/** The system's libbpf.so.1. BPF_LIBRARY_MISSING if there is none, or only one before 1.0. */
export function libbpfApi(): LibbpfApi {
  loaded ??= declare();
  return loaded;
}

function declare() {
  const bpf = openLibrary('libbpf.so.1');
  const destroyLink = bpf.func('int bpf_link__destroy(void *link)');
  const c = koffi.load(null);
  const printer = koffi.proto('int mw_libbpf_print(int level, void *format, void *args)');
  const setPrint = bpf.func('libbpf_set_print', 'void *', [koffi.pointer(printer)]);
  const syscall = c.func(
    'long syscall(long number, int command, void *attributes, uint32_t size)',
  ) as (number: number, command: number, attributes: Uint8Array, size: number) => number;
  type P = Pointer;
  type Maybe = P | null;
  const btfOf = bpf.func('void *bpf_object__btf(void *object)') as (object: P) => Maybe;
  const btfBytes = bpf.func('void *btf__raw_data(void *btf, _Out_ uint32_t *size)') as (
    btf: P,
    size: [number],
  ) => Maybe;
  return {
    version: bpf.func('const char *libbpf_version_string()') as () => string,
    cpus: bpf.func('int libbpf_num_possible_cpus()') as () => number,
    probeHelper: bpf.func('int libbpf_probe_bpf_helper(int type, int helper, void *opts)') as (
      type: number,
      helper: number,
      opts: null,
    ) => number,
    setPrint: (print: OnPrint) => {
      setPrint(koffi.register(print, koffi.pointer(printer)));
    },

    open: bpf.func('void *bpf_object__open_file(const char *path, void *opts)') as (
      path: string,
      opts: Uint8Array,
    ) => Maybe,
    load: bpf.func('int bpf_object__load(void *object)') as (object: P) => number,
    /** A copy of the object's BTF as libbpf holds it; empty if it has none. */
    objectBtf: (object: P): Uint8Array => {
      const size: [number] = [0];
      const btf = btfOf(object);
      const bytes = btf === null ? null : btfBytes(btf, size);
      return bytes === null
        ? new Uint8Array(0)
        : new Uint8Array(koffi.view(bytes, size[0])).slice();
    },
    closeObject: bpf.func('void bpf_object__close(void *object)') as (object: P) => void,

    nextProgram: bpf.func('void *bpf_object__next_program(void *object, void *previous)') as (
      object: P,
      previous: Maybe,
    ) => Maybe,
    programName: bpf.func('const char *bpf_program__name(void *program)') as (p: P) => string,
    programSection: bpf.func('const char *bpf_program__section_name(void *program)') as (
      p: P,
    ) => string,
    programFd: bpf.func('int bpf_program__fd(void *program)') as (p: P) => number,
    setAutoload: bpf.func('int bpf_program__set_autoload(void *program, bool on)') as (
      p: P,
      on: boolean,
    ) => number,
    setAttachTarget: bpf.func(
      'int bpf_program__set_attach_target(void *program, int fd, const char *function)',
    ) as (p: P, fd: number, name: string) => number,

    nextMap: bpf.func('void *bpf_object__next_map(void *object, void *previous)') as (
      object: P,
      previous: Maybe,
    ) => Maybe,
    mapName: bpf.func('const char *bpf_map__name(void *map)') as (m: P) => string,
    mapIsInternal: bpf.func('bool bpf_map__is_internal(void *map)') as (m: P) => boolean,
    mapFd: bpf.func('int bpf_map__fd(void *map)') as (m: P) => number,
    mapType: bpf.func('uint32_t bpf_map__type(void *map)') as (m: P) => number,
    mapFlags: bpf.func('uint32_t bpf_map__map_flags(void *map)') as (m: P) => number,
    mapKeySize: bpf.func('uint32_t bpf_map__key_size(void *map)') as (m: P) => number,
    mapValueSize: bpf.func('uint32_t bpf_map__value_size(void *map)') as (m: P) => number,
    mapMaxEntries: bpf.func('uint32_t bpf_map__max_entries(void *map)') as (m: P) => number,
    setMaxEntries: bpf.func('int bpf_map__set_max_entries(void *map, uint32_t entries)') as (
      m: P,
      entries: number,
    ) => number,
    setMapFlags: bpf.func('int bpf_map__set_map_flags(void *map, uint32_t flags)') as (
      m: P,
      flags: number,
    ) => number,
    setAutocreate: bpf.func('int bpf_map__set_autocreate(void *map, bool on)') as (
      m: P,
      on: boolean,
    ) => number,
    initialValue: bpf.func('void *bpf_map__initial_value(void *map, _Out_ size_t *size)') as (
      m: P,
      size: [number],
    ) => Maybe,

    lookup: bpf.func('int bpf_map_lookup_elem(int fd, void *key, _Out_ void *value)') as (
      fd: number,
      key: Uint8Array,
      value: Uint8Array,
    ) => number,
    update: bpf.func('int bpf_map_update_elem(int fd, void *key, void *value, uint64_t flags)') as (
      fd: number,
      key: Uint8Array | null,
      value: Uint8Array,
      flags: number,
    ) => number,
    deleteKey: bpf.func('int bpf_map_delete_elem(int fd, void *key)') as (
      fd: number,
      key: Uint8Array,
    ) => number,
    lookupAndDelete: bpf.func(
      'int bpf_map_lookup_and_delete_elem(int fd, void *key, _Out_ void *value)',
    ) as (fd: number, key: Uint8Array | null, value: Uint8Array) => number,
    /** `from` and `to` hold the kernel's place in the map; null: its beginning. */
    lookupBatch: bpf.func(
      'int bpf_map_lookup_batch(int fd, void *from, _Out_ void *to, _Out_ void *keys, _Out_ void *values, _Inout_ uint32_t *count, void *opts)',
    ) as (
      fd: number,
      from: Uint8Array | null,
      to: Uint8Array,
      keys: Uint8Array,
      values: Uint8Array,
      count: [number],
      opts: null,
    ) => number,
    updateBatch: bpf.func(
      'int bpf_map_update_batch(int fd, void *keys, void *values, _Inout_ uint32_t *count, void *opts)',
    ) as (fd: number, keys: Uint8Array, values: Uint8Array, count: [number], opts: null) => number,
    deleteBatch: bpf.func(
      'int bpf_map_delete_batch(int fd, void *keys, _Inout_ uint32_t *count, void *opts)',
    ) as (fd: number, keys: Uint8Array, count: [number], opts: null) => number,
    nextKey: bpf.func('int bpf_map_get_next_key(int fd, void *key, _Out_ void *next)') as (
      fd: number,
      key: Uint8Array | null,
      next: Uint8Array,
    ) => number,

    testRun: bpf.func('int bpf_prog_test_run_opts(int fd, _Inout_ void *opts)') as (
      fd: number,
      opts: Uint8Array,
    ) => number,
    attach: bpf.func('void *bpf_program__attach(void *program)') as (p: P) => Maybe,
    attachIterator: bpf.func('void *bpf_program__attach_iter(void *program, void *opts)') as (
      p: P,
      opts: Uint8Array | null,
    ) => Maybe,
    attachRawTracepoint: bpf.func(
      'void *bpf_program__attach_raw_tracepoint(void *program, const char *name)',
    ) as (p: P, name: string) => Maybe,
    attachTracepoint: bpf.func(
      'void *bpf_program__attach_tracepoint(void *program, const char *category, const char *name)',
    ) as (p: P, category: string, name: string) => Maybe,
    attachKprobe: bpf.func(
      'void *bpf_program__attach_kprobe(void *program, bool isReturn, const char *name)',
    ) as (p: P, isReturn: boolean, name: string) => Maybe,
    attachUprobe: bpf.func(
      'void *bpf_program__attach_uprobe_opts(void *program, int pid, const char *binary, size_t offset, void *opts)',
    ) as (p: P, pid: number, binary: string, offset: number | bigint, opts: Uint8Array) => Maybe,
    setAttachType: bpf.func(
      'int bpf_program__set_expected_attach_type(void *program, int type)',
    ) as (p: P, type: number) => number,
    linkFd: bpf.func('int bpf_link__fd(void *link)') as (link: P) => number,
    destroyLink: destroyLink as unknown as (link: P) => number,
    /** On another thread. */
    destroyLinkSoon: (link: P): Promise<number> =>
      new Promise((resolve, reject) => {
        destroyLink.async(link, (error: unknown, result: number) =>
          error ? reject(error) : resolve(result),
        );
      }),
    createIterator: bpf.func('int bpf_iter_create(int linkFd)') as (fd: number) => number,

    /** bpf(2), for what libbpf does not wrap; only the first `size` bytes are union bpf_attr. */
    bpf: (command: number, attributes: Uint8Array, size: number): number =>
      syscall(BPF_SYSCALL, command, attributes, size),

    mmap: c.func(
      'void *mmap(void *at, size_t length, int protection, int flags, int fd, int64_t offset)',
    ) as (
      at: null,
      length: number,
      protection: number,
      flags: number,
      fd: number,
      offset: number,
    ) => Maybe,
    munmap: c.func('int munmap(void *at, size_t length)') as (at: P, length: number) => number,
    pageSize: c.func('int getpagesize()') as () => number,
    formatList: c.func('int vasprintf(_Out_ void **text, void *format, void *args)') as (
      text: [P | null],
      format: P,
      args: P,
    ) => number,

    errno: () => koffi.errno(),
    /** Live memory as an ArrayBuffer. Detach it (`transfer(0)`) before the memory goes away. */
    view: (at: P, length: number): ArrayBuffer => koffi.view(at, length),
    addressOf: (bytes: Uint8Array): P => koffi.address(bytes),
    text: (at: P, length: number): string => koffi.decode.string(at, length),
    free: (at: P): void => koffi.free(at),
  };
}

function openLibrary(name: string) {
  try {
    return koffi.load(name);
  } catch (cause) {
    throw new MemWatcherError('BPF_LIBRARY_MISSING', `${name} (libbpf 1.0 or newer) is missing`, {
      hint: 'apt-get install libbpf1',
      cause,
    });
  }
}
