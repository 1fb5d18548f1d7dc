import { MemWatcherError } from '../errors.js';
import { elfSection } from './elf.js';

/** The kinds of Documentation/bpf/btf.rst; other kinds are `other`, and only skipped. */
export type BtfType =
  | {
      readonly kind: 'int';
      readonly name: string;
      readonly size: number;
      readonly encoding: number;
    }
  | { readonly kind: 'pointer'; readonly target: number }
  | { readonly kind: 'array'; readonly element: number; readonly length: number }
  | {
      readonly kind: 'struct' | 'union';
      readonly name: string;
      readonly size: number;
      readonly members: readonly BtfMember[];
    }
  | {
      readonly kind: 'enum';
      readonly name: string;
      readonly size: number;
      readonly signed: boolean;
    }
  | { readonly kind: 'typedef'; readonly name: string; readonly target: number }
  /** const, volatile, restrict, type tag: says nothing of the layout. */
  | { readonly kind: 'qualifier'; readonly target: number }
  | { readonly kind: 'variable'; readonly name: string; readonly target: number }
  | { readonly kind: 'section'; readonly name: string; readonly variables: readonly BtfVariable[] }
  | { readonly kind: 'float'; readonly name: string; readonly size: number }
  | { readonly kind: 'other'; readonly name: string };

export interface BtfMember {
  readonly name: string;
  readonly type: number;
  readonly bitOffset: number;
  /** 0 if it is no bitfield. */
  readonly bitSize: number;
}

export interface BtfVariable {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
}

export const INT_SIGNED = 1;

/**
 * The types of one BPF object, from its `.BTF`. Meant for our own small objects: for the kernel's
 * BTF, with its 100,000 types, ask for single facts instead.
 */
export class Btf {
  /** By id; 0 is void. */
  readonly types: readonly BtfType[];

  constructor(types: readonly BtfType[]) {
    this.types = types;
  }

  /** BTF_INVALID if the file is no ELF file or has no BTF. */
  static ofObject(file: Uint8Array): Btf {
    const section = elfSection(file, '.BTF');
    if (!section) {
      throw new MemWatcherError('BTF_INVALID', 'the object has no .BTF section', {
        hint: 'compile with clang -g, strip with llvm-strip -g',
      });
    }
    return Btf.parse(section);
  }

  /** BTF_INVALID if the bytes are not BTF. */
  static parse(bytes: Uint8Array): Btf {
    try {
      return new Btf([...readTypes(bytes)]);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new MemWatcherError('BTF_INVALID', 'the BTF is cut short or damaged', { cause });
    }
  }

  type(id: number): BtfType {
    const type = this.types[id];
    if (!type) throw new MemWatcherError('BTF_INVALID', `the BTF has no type ${id}`);
    return type;
  }

  /** The type behind typedefs and qualifiers. */
  resolve(id: number): BtfType {
    let type = this.type(id);
    for (let depth = 0; type.kind === 'typedef' || type.kind === 'qualifier'; depth++) {
      if (depth === 64) throw new MemWatcherError('BTF_INVALID', `type ${id} refers to itself`);
      type = this.type(type.target);
    }
    return type;
  }

  /** The struct, union or typedef of that name, else the type of the global of that name. */
  find(name: string): number | undefined {
    let variable: number | undefined;
    for (const [id, type] of this.types.entries()) {
      if (type.kind === 'variable' && type.name === name) variable ??= type.target;
      if (type.kind !== 'struct' && type.kind !== 'union' && type.kind !== 'typedef') continue;
      if (type.name === name) return id;
    }
    return variable;
  }

  /**
   * The globals of an ELF section such as `.rodata` or `.maps`, by name. Their offsets are 0 in a
   * file that clang wrote: libbpf fills them in from the symbols when it opens the object.
   */
  globals(section: string): ReadonlyMap<string, BtfVariable> {
    const globals = new Map<string, BtfVariable>();
    for (const type of this.types) {
      if (type.kind !== 'section' || type.name !== section) continue;
      for (const { type: id, offset, size } of type.variables) {
        const variable = this.type(id);
        if (variable.kind !== 'variable') continue;
        globals.set(variable.name, { type: variable.target, offset, size });
      }
    }
    return globals;
  }
}

function* readTypes(bytes: Uint8Array): Generator<BtfType> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(0, true) !== 0xeb9f) {
    throw new MemWatcherError('BTF_INVALID', 'these bytes are not little-endian BTF');
  }
  const u32 = (offset: number) => view.getUint32(offset, true);
  const start = u32(4);
  const end = start + u32(8) + u32(12);
  const strings = start + u32(16);
  const text = (offset: number): string => {
    const from = strings + offset;
    const to = bytes.indexOf(0, from);
    if (to < 0) throw new RangeError('string');
    return Buffer.from(bytes.subarray(from, to)).toString();
  };

  yield { kind: 'other', name: 'void' };
  for (let at = start + u32(8); at < end; ) {
    const name = text(u32(at));
    const info = u32(at + 4);
    const count = info & 0xffff;
    const flag = info >>> 31 === 1;
    const sizeOrType = u32(at + 8);
    const extra = at + 12;
    const rows = <T>(width: number, row: (at: number) => T): T[] =>
      Array.from({ length: count }, (_, index) => row(extra + index * width));
    let length = 0;
    switch ((info >>> 24) & 0x1f) {
      case 1:
        yield { kind: 'int', name, size: sizeOrType, encoding: (u32(extra) >>> 24) & 0xf };
        length = 4;
        break;
      case 2:
        yield { kind: 'pointer', target: sizeOrType };
        break;
      case 3:
        yield { kind: 'array', element: u32(extra), length: u32(extra + 8) };
        length = 12;
        break;
      case 4:
      case 5:
        yield {
          kind: ((info >>> 24) & 0x1f) === 4 ? 'struct' : 'union',
          name,
          size: sizeOrType,
          members: rows(12, (row) => ({
            name: text(u32(row)),
            type: u32(row + 4),
            bitOffset: flag ? u32(row + 8) & 0xffffff : u32(row + 8),
            bitSize: flag ? u32(row + 8) >>> 24 : 0,
          })),
        };
        length = 12 * count;
        break;
      case 6:
      case 19:
        yield { kind: 'enum', name, size: sizeOrType, signed: flag };
        length = (((info >>> 24) & 0x1f) === 6 ? 8 : 12) * count;
        break;
      case 8:
        yield { kind: 'typedef', name, target: sizeOrType };
        break;
      case 9:
      case 10:
      case 11:
      case 18:
        yield { kind: 'qualifier', target: sizeOrType };
        break;
      case 7:
      case 12:
        yield { kind: 'other', name };
        break;
      case 13:
        yield { kind: 'other', name };
        length = 8 * count;
        break;
      case 14:
        yield { kind: 'variable', name, target: sizeOrType };
        length = 4;
        break;
      case 15:
        yield {
          kind: 'section',
          name,
          variables: rows(12, (row) => ({
            type: u32(row),
            offset: u32(row + 4),
            size: u32(row + 8),
          })),
        };
        length = 12 * count;
        break;
      case 16:
        yield { kind: 'float', name, size: sizeOrType };
        break;
      case 17:
        yield { kind: 'other', name };
        length = 4;
        break;
      default:
        throw new RangeError(`kind ${(info >>> 24) & 0x1f}`);
    }
    at = extra + length;
  }
}
