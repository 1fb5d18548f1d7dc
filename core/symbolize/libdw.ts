/**
 * What is called of libdw (elfutils), declared once. Only the child without privileges calls it:
 * it reads files that anybody may have written. Pointers are bigints, as koffi gives them.
 */
import koffi from 'koffi';
import { DIE_SIZE, type Die, declareScopes } from './libdw-scopes.js';

export type Pointer = bigint;
type Maybe = Pointer | null;
/** Memory that a call fills. */
type Out = BigUint64Array | Int32Array | Uint8Array;

/** What the library says of a file that it cannot read. */
export class LibDwError extends Error {}

/** A debug file that a module asks for. */
export interface DebugWanted {
  /** Of the module, or of what is shared; empty if unknown. */
  readonly buildId: Buffer;
  /** What the file calls it; empty if it does not. */
  readonly link: string;
  /** CRC32 of the whole debug file, if there is a `link`. */
  readonly checksum: number;
  /** It is what several debug files have in common (dwz). */
  readonly isShared: boolean;
}

/** Of a file's symbol table. */
export interface ElfSymbol {
  /** Type in the low half, binding in the high half. */
  readonly info: number;
  readonly address: number;
  /** Bytes; 0 where the file does not say. */
  readonly size: number;
}

/** Gives a descriptor that the library then owns, or -1. */
export type FindDebug = (wanted: DebugWanted) => number;

export type LibDw = ReturnType<typeof declare>;

/** Undefined if the system has no libdw.so.1. */
export function openLibDw(): LibDw | undefined {
  try {
    return declare(koffi.load('libdw.so.1'));
  } catch {
    return undefined;
  }
}

/** `__cxa_demangle` of libstdc++; undefined if the system has none. */
export function openCxxDemangler(): ((name: string) => string | undefined) | undefined {
  try {
    const demangle = koffi
      .load('libstdc++.so.6')
      .func('void *__cxa_demangle(const char *name, void *buffer, void *length, void *status)') as (
      name: string,
      buffer: null,
      length: null,
      status: Out,
    ) => Maybe;
    const { text, free } = memory();
    return (name) => {
      const demangled = demangle(name, null, null, new Int32Array(1));
      if (demangled === null) return undefined;
      const copy = text(demangled);
      free(demangled);
      return copy;
    };
  } catch {
    return undefined;
  }
}

function memory() {
  const c = koffi.load(null);
  const measure = c.func('size_t strnlen(void *text, size_t most)') as (
    text: Pointer,
    most: number,
  ) => number;
  return {
    free: c.func('void free(void *at)') as (at: Pointer) => void,
    /** A copy, as much of it as anybody wants to read. */
    text: (at: Maybe): string | undefined =>
      at === null ? undefined : koffi.decode.string(at, measure(at, MAX_TEXT)),
    bytes: (at: Pointer, length: number): Buffer =>
      length > 0 && length <= MAX_BUILD_ID
        ? Buffer.from(koffi.view(at, length).slice(0))
        : Buffer.alloc(0),
  };
}

function declare(dw: ReturnType<typeof koffi.load>) {
  const { free, text, bytes } = memory();
  // `dwfl` is a session, here of one file; `module` that file; `unit` and `die` are Dwarf_Die.
  const native = {
    begin: dw.func('void *dwfl_begin(void *callbacks)') as (callbacks: Out) => Maybe,
    end: dw.func('void dwfl_end(void *dwfl)') as (dwfl: Pointer) => void,
    reportBegin: dw.func('void dwfl_report_begin(void *dwfl)') as (dwfl: Pointer) => void,
    report: dw.func(
      'void *dwfl_report_elf(void *dwfl, const char *name, const char *file, int fd, uint64_t base, bool addVirtual)',
    ) as (d: Pointer, name: string, file: string, fd: number, base: bigint, add: boolean) => Maybe,
    reportEnd: dw.func('int dwfl_report_end(void *dwfl, void *removed, void *argument)') as (
      dwfl: Pointer,
      removed: null,
      argument: null,
    ) => number,
    buildId: dw.func('int dwfl_module_build_id(void *module, void *bits, void *address)') as (
      module: Pointer,
      bits: Out,
      address: Out,
    ) => number,
    symbolCount: dw.func('int dwfl_module_getsymtab(void *module)') as (module: Pointer) => number,
    symbolAt: dw.func(
      'void *dwfl_module_getsym_info(void *module, int number, void *symbol, void *address, void *section, void *elf, void *bias)',
    ) as (
      module: Pointer,
      number: number,
      symbol: Out,
      address: Out,
      section: Out,
      elf: null,
      bias: null,
    ) => Maybe,
    unitAt: dw.func('void *dwfl_module_addrdie(void *module, uint64_t address, void *bias)') as (
      module: Pointer,
      address: bigint,
      bias: Out,
    ) => Maybe,
    nextUnit: dw.func('void *dwfl_module_nextcu(void *module, void *last, void *bias)') as (
      module: Pointer,
      last: Maybe,
      bias: Out,
    ) => Maybe,
    dwarf: dw.func('void *dwfl_module_getdwarf(void *module, void *bias)') as (
      module: Pointer,
      bias: Out,
    ) => Maybe,
    ranges: dw.func(
      'int64_t dwarf_ranges(void *die, int64_t at, void *base, void *start, void *end)',
    ) as (die: Die, at: number, base: Out, start: Out, end: Out) => number,
    scopesOf: dw.func('int dwarf_getscopes_die(void *die, void *scopes)') as (
      die: Die,
      scopes: Out,
    ) => number,
    attribute: dw.func(
      'void *dwarf_attr_integrate(void *die, unsigned int name, void *attribute)',
    ) as (die: Die, name: number, attribute: Out) => Maybe,
    ownAttribute: dw.func('void *dwarf_attr(void *die, unsigned int name, void *attribute)') as (
      die: Die,
      name: number,
      attribute: Out,
    ) => Maybe,
    formDie: dw.func('void *dwarf_formref_die(void *attribute, void *die)') as (
      attribute: Out,
      die: Out,
    ) => Maybe,
    formString: dw.func('void *dwarf_formstring(void *attribute)') as (attribute: Out) => Maybe,
    formNumber: dw.func('int dwarf_formudata(void *attribute, void *value)') as (
      attribute: Out,
      value: Out,
    ) => number,
    tag: dw.func('int dwarf_tag(void *die)') as (die: Die) => number,
    name: dw.func('void *dwarf_diename(void *die)') as (die: Die) => Maybe,
    line: dw.func('void *dwarf_getsrc_die(void *unit, uint64_t address)') as (
      unit: Pointer,
      address: bigint,
    ) => Maybe,
    lineNumber: dw.func('int dwarf_lineno(void *line, void *number)') as (
      line: Pointer,
      number: Out,
    ) => number,
    lineSource: dw.func('void *dwarf_linesrc(void *line, void *time, void *length)') as (
      line: Pointer,
      time: null,
      length: null,
    ) => Maybe,
    files: dw.func('int dwarf_getsrcfiles(void *unit, void *files, void *count)') as (
      unit: Pointer,
      files: Out,
      count: Out,
    ) => number,
    fileSource: dw.func(
      'void *dwarf_filesrc(void *files, size_t index, void *time, void *length)',
    ) as (files: Pointer, index: number, time: null, length: null) => Maybe,
    error: dw.func('void *dwfl_errmsg(int error)') as (error: number) => Maybe,
  };
  const finder = koffi.proto(
    'int mw_find_debuginfo(void *module, void *user, void *name, uint64_t base, void *file, void *link, uint32_t checksum, void *path)',
  );

  const first = new BigUint64Array(1);
  const second = new BigUint64Array(1);
  const third = new BigUint64Array(1);
  const int = new Int32Array(1);
  const attribute = new Uint8Array(ATTRIBUTE_SIZE);
  const symbol = new Uint8Array(SYMBOL_SIZE);
  const symbolView = new DataView(symbol.buffer);
  const value = (of: BigUint64Array): bigint => of[0] ?? 0n;
  const known = (at: Maybe): Pointer | undefined => at ?? undefined;

  /** What is shared is asked for without a checksum; then `link` is what the debug file calls it. */
  function wanted(module: Pointer, link: Maybe, checksum: number): DebugWanted {
    const length = native.buildId(module, first, second);
    const name = text(link) ?? '';
    return {
      buildId: bytes(value(first), length),
      link: name,
      checksum,
      isShared: name !== '' && checksum === 0,
    };
  }

  /** With the DIE and all that it is nested in. */
  function withNest<T>(die: Die, use: (dies: Pointer[]) => T): T | undefined {
    const count = native.scopesOf(die, first);
    if (count <= 0) return undefined;
    const scopes = value(first);
    try {
      const most = Math.min(count, MAX_SCOPES);
      return use(Array.from({ length: most }, (_, n) => scopes + BigInt(n * DIE_SIZE)));
    } finally {
      free(scopes);
    }
  }

  return {
    ...declareScopes(dw),

    /** A session, in which one file is looked at. */
    begin(find: FindDebug): { readonly session: Pointer; close(): void } | undefined {
      const callback = koffi.register(
        (
          module: Pointer,
          _user: Maybe,
          _name: Maybe,
          _base: bigint,
          _file: Maybe,
          link: Maybe,
          sum: number,
        ) => find(wanted(module, link, sum)),
        koffi.pointer(finder),
      );
      const callbacks = Buffer.alloc(CALLBACKS_SIZE);
      callbacks.writeBigUInt64LE(koffi.address(callback), 8);
      const session = native.begin(callbacks);
      if (session === null) {
        koffi.unregister(callback);
        return undefined;
      }
      const close = () => {
        native.end(session);
        koffi.unregister(callback);
        // The library has kept their address until now, and so they have to be.
        callbacks.fill(0);
      };
      return { session, close };
    },

    /** The file behind `fd`, which the library takes over if this succeeds. */
    report(session: Pointer, fd: number): Pointer | undefined {
      native.reportBegin(session);
      const module = native.report(session, 'module', 'module', fd, 0n, true);
      native.reportEnd(session, null, null);
      return known(module);
    },

    /** Of the file, its debug file and what it carries compressed; 0 if they cannot be read. */
    symbolCount: (module: Pointer): number => Math.max(0, native.symbolCount(module)),

    /** Undefined of one that is not defined in the file. */
    symbolAt(module: Pointer, number: number): ElfSymbol | undefined {
      const name = native.symbolAt(module, number, symbol, first, int, null, null);
      const section = int[0] ?? 0;
      if (name === null || section === SHN_UNDEF || section === SHN_ABS) return undefined;
      const address = Number(value(first));
      return {
        info: symbolView.getUint8(4),
        address,
        size: Number(symbolView.getBigUint64(16, true)),
      };
    },
    symbolName: (module: Pointer, number: number): string | undefined =>
      text(native.symbolAt(module, number, symbol, first, int, null, null)),

    /** `bias` is added to addresses of the debug file. Undefined if there is no DWARF. */
    dwarf(module: Pointer): { readonly dwarf: Pointer; readonly bias: bigint } | undefined {
      const dwarf = native.dwarf(module, first);
      return dwarf === null ? undefined : { dwarf, bias: value(first) };
    },

    /** The unit of an address by .debug_aranges, which not every compiler writes. */
    unitAt: (module: Pointer, address: bigint) => known(native.unitAt(module, address, first)),
    nextUnit: (module: Pointer, last: Maybe) => known(native.nextUnit(module, last, first)),

    /** Where a DIE's code is: pairs of [start, end). */
    ranges(die: Die, most: number): (readonly [bigint, bigint])[] {
      const found: (readonly [bigint, bigint])[] = [];
      for (let at = 0; found.length < most; ) {
        at = native.ranges(die, at, first, second, third);
        if (at <= 0) break;
        found.push([value(second), value(third)]);
      }
      return found;
    },

    /** What the DIE's declaration lies in, innermost first, itself included. */
    withDeclaration<T>(die: Die, use: (dies: Pointer[]) => T): T | undefined {
      let at: Die = die;
      for (const name of [DW_AT_ABSTRACT_ORIGIN, DW_AT_SPECIFICATION]) {
        const next = new Uint8Array(DIE_SIZE);
        if (native.ownAttribute(at, name, attribute) === null) continue;
        if (native.formDie(attribute, next) === null) return undefined;
        at = next;
      }
      return withNest(at, use);
    },

    tag: native.tag,
    name: (die: Die) => text(native.name(die)),
    /** These also of what the DIE is an instance of. */
    string(die: Die, name: number): string | undefined {
      const found = native.attribute(die, name, attribute) !== null;
      return found ? text(native.formString(attribute)) : undefined;
    },
    number(die: Die, name: number): number | undefined {
      const found = native.attribute(die, name, attribute) !== null;
      return found && native.formNumber(attribute, first) === 0 ? Number(value(first)) : undefined;
    },

    line(unit: Pointer, address: bigint): { file: string; line: number } | undefined {
      const line = native.line(unit, address);
      if (line === null || native.lineNumber(line, int) !== 0) return undefined;
      const file = text(native.lineSource(line, null, null));
      return file === undefined ? undefined : { file, line: int[0] ?? 0 };
    },
    sourceFile(unit: Pointer, index: number): string | undefined {
      if (native.files(unit, first, second) !== 0 || index >= Number(value(second)))
        return undefined;
      return text(native.fileSource(value(first), index, null, null));
    },

    lastError: (): string => text(native.error(-1)) ?? 'unknown error',
  };
}

/** Sizes of the library's structures. */
const ATTRIBUTE_SIZE = 24;
const SYMBOL_SIZE = 24;
const CALLBACKS_SIZE = 32;
const DW_AT_ABSTRACT_ORIGIN = 0x31;
const DW_AT_SPECIFICATION = 0x47;
const SHN_UNDEF = 0;
const SHN_ABS = 0xfff1;
/** Bytes of a name. */
const MAX_TEXT = 1 << 16;
const MAX_BUILD_ID = 64;
const MAX_SCOPES = 4096;
