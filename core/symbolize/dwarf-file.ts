/** One file as the child sees it: its symbols, and lines and inline chains where there is DWARF. */
import type { Demangle } from './demangle.js';
import { type FindDebug, type LibDw, LibDwError, type Pointer } from './libdw.js';
import type { Die } from './libdw-scopes.js';
import { SymbolIndex } from './symbol-index.js';
import { UnitIndex } from './unit-index.js';
import type { FoundFrame } from './wire.js';

export class DwarfFile {
  readonly #dw: LibDw;
  readonly #session: { readonly session: Pointer; close(): void };
  readonly #module: Pointer;
  readonly #demangle: Demangle;
  #symbols: SymbolIndex | undefined;
  /** Null: there is no DWARF. */
  #units: UnitIndex | null | undefined;

  /** Takes `fd` over, unless it throws. */
  constructor(dw: LibDw, fd: number, ask: FindDebug, demangle: Demangle) {
    this.#dw = dw;
    this.#demangle = demangle;
    const session = dw.begin(ask);
    if (session === undefined) throw new LibDwError(dw.lastError());
    this.#session = session;
    const module = dw.report(session.session, fd);
    if (module === undefined) {
      const reason = dw.lastError();
      session.close();
      throw new LibDwError(reason);
    }
    this.#module = module;
  }

  close(): void {
    this.#session.close();
  }

  /** Innermost first; at least one. */
  look(address: bigint): FoundFrame[] {
    this.#symbols ??= new SymbolIndex(this.#dw, this.#module);
    const symbol = this.#symbols.find(address);
    const begin = symbol && (address - symbol.offset).toString(16);
    const outer: FoundFrame = {
      ...(symbol && { name: this.#demangle(withoutVersion(symbol.name)), begin }),
      inlined: false,
    };
    const units = this.#openUnits();
    const unit = units?.unitAt(address);
    if (!units || unit === undefined) return [outer];
    const inner = address - units.bias;
    const place = this.#place(unit, inner);
    const chain = this.#chain(unit, units.scopesAt(unit, inner), place);
    if (chain.length === 0) return [{ ...outer, ...place, ...this.#lackOf(unit) }];
    return chain.map((frame) => (frame.inlined ? frame : { ...outer, ...frame }));
  }

  /** The file beside a skeleton unit has the functions and their inline chains. It is not opened. */
  #lackOf(unit: Pointer): Pick<FoundFrame, 'lack'> {
    const file = this.#dw.string(unit, DW_AT_DWO_NAME) ?? this.#dw.string(unit, DW_AT_GNU_DWO_NAME);
    return file === undefined ? {} : { lack: SPLIT };
  }

  #chain(unit: Pointer, dies: readonly Die[], innermost: Place): FoundFrame[] {
    const frames: FoundFrame[] = [];
    let place = innermost;
    for (const die of dies) {
      const tag = this.#dw.tag(die);
      const inlined = tag === DW_TAG_INLINED_SUBROUTINE;
      if (!inlined && tag !== DW_TAG_SUBPROGRAM) continue;
      const name = this.#nameOf(unit, die);
      frames.push({ ...(name !== undefined && { name }), ...place, inlined });
      if (!inlined || frames.length >= MAX_FRAMES) break;
      place = this.#callOf(unit, die);
    }
    return frames;
  }

  #nameOf(unit: Pointer, die: Die): string | undefined {
    const linkage =
      this.#dw.string(die, DW_AT_LINKAGE_NAME) ?? this.#dw.string(die, DW_AT_MIPS_LINKAGE_NAME);
    if (linkage !== undefined) return this.#demangle(linkage);
    const name = this.#dw.name(die);
    // What no linker sees has no mangled name: static functions, lambdas.
    const isCxx = CXX.has(this.#dw.number(unit, DW_AT_LANGUAGE) ?? 0);
    return name !== undefined && isCxx ? this.#qualified(die, name) : name;
  }

  /** With the namespaces, types and functions that it is declared in. */
  #qualified(die: Die, name: string): string {
    const around = this.#dw.withDeclaration(die, (dies) =>
      dies.slice(1, MAX_NESTING).flatMap((outer) => {
        const tag = this.#dw.tag(outer);
        const own = QUALIFIERS.has(tag) ? this.#dw.name(outer) : undefined;
        return own ?? (tag === DW_TAG_NAMESPACE ? '(anonymous namespace)' : []);
      }),
    );
    return [...(around ?? []).reverse(), name].join('::');
  }

  #place(unit: Pointer, address: bigint): Place {
    const found = this.#dw.line(unit, address);
    // Line 0: the compiler says that the code belongs to no line.
    if (found === undefined) return {};
    const file = this.#absolute(unit, found.file);
    return found.line > 0 ? { file, line: found.line } : { file };
  }

  #callOf(unit: Pointer, die: Die): Place {
    const index = this.#dw.number(die, DW_AT_CALL_FILE);
    const line = this.#dw.number(die, DW_AT_CALL_LINE);
    const file = index === undefined ? undefined : this.#dw.sourceFile(unit, index);
    if (file === undefined) return {};
    return { file: this.#absolute(unit, file), ...(line !== undefined && line > 0 && { line }) };
  }

  #absolute(unit: Pointer, file: string): string {
    if (file.startsWith('/')) return file;
    const folder = this.#dw.string(unit, DW_AT_COMP_DIR);
    return folder === undefined ? file : `${folder}/${file}`;
  }

  #openUnits(): UnitIndex | null {
    if (this.#units === undefined) {
      const dwarf = this.#dw.dwarf(this.#module);
      this.#units = dwarf === undefined ? null : new UnitIndex(this.#dw, this.#module, dwarf);
    }
    return this.#units;
  }
}

interface Place {
  readonly file?: string;
  readonly line?: number;
}

/** `malloc@@GLIBC_2.2.5` is malloc. */
const withoutVersion = (name: string) => name.replace(/@.*$/s, '');

const DW_TAG_NAMESPACE = 0x39;
const DW_TAG_SUBPROGRAM = 0x2e;
const DW_TAG_INLINED_SUBROUTINE = 0x1d;
/** Namespace, class, structure, union, function. */
const QUALIFIERS = new Set([DW_TAG_NAMESPACE, 0x02, 0x13, 0x17, DW_TAG_SUBPROGRAM]);
const DW_AT_LANGUAGE = 0x13;
/** DW_LANG_C_plus_plus, and those of 2003 to 2020. */
const CXX = new Set([0x04, 0x19, 0x1a, 0x21, 0x2b, 0x3a]);
const MAX_NESTING = 32;
const DW_AT_COMP_DIR = 0x1b;
const DW_AT_CALL_FILE = 0x58;
const DW_AT_CALL_LINE = 0x59;
const DW_AT_LINKAGE_NAME = 0x6e;
const DW_AT_MIPS_LINKAGE_NAME = 0x2007;
const DW_AT_DWO_NAME = 0x76;
const DW_AT_GNU_DWO_NAME = 0x2130;
const SPLIT =
  'its debug information is in .dwo files, which are not read, so inlined functions are missing: build it without -gsplit-dwarf';
const MAX_FRAMES = 256;
