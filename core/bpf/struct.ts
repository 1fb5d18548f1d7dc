import { MemWatcherError } from '../errors.js';
import { type Btf, type BtfMember, type BtfType, INT_SIGNED } from './btf.js';
import type { FieldLayout, FieldType, StructLayout } from './layout.js';

/**
 * The layout of a struct, by its name, by a typedef's, or by that of a global of its type.
 *
 * LAYOUT_INVALID names the member that cannot be carried over: a bitfield, a hole, a pointer, a
 * union, an integer wider than 8 bytes. Events and map values have fixed widths and no holes, so
 * that every byte that crosses from the kernel has been written.
 */
export function structLayout(btf: Btf, name: string): StructLayout {
  const id = btf.find(name);
  if (id === undefined) {
    throw new MemWatcherError('LAYOUT_INVALID', `the object's BTF has no struct ${name}`, {
      hint: 'a struct reaches the BTF only if a map or a global is typed with it',
    });
  }
  return new Reader(btf).struct(id, name);
}

/** The layout of the struct of that BTF id. */
export function structLayoutById(btf: Btf, id: number): StructLayout {
  const alias = btf.type(id);
  return new Reader(btf).struct(id, 'name' in alias && alias.name ? alias.name : `type ${id}`);
}

/** `path` is what errors call the place that is being read. */
class Reader {
  readonly #btf: Btf;
  /** Types whose members are being read: damaged BTF can contain itself. */
  readonly #open = new Set<BtfType>();

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  struct(id: number, path: string): StructLayout {
    const type = this.#btf.resolve(id);
    if (type.kind !== 'struct') throw refuse(path, `is ${article(type.kind)}, not a struct`);
    return this.#within(type, path, () => {
      const fields: FieldLayout[] = [];
      let end = 0;
      for (const member of type.members) {
        const field = this.#field(member, `${path}.${member.name || '(anonymous)'}`);
        if (field.offset !== end) throw hole(`before ${path}.${field.name}`, field.offset - end);
        end = field.offset + field.size;
        fields.push(field);
      }
      if (end !== type.size) throw hole(`at the end of ${path}`, type.size - end);
      return { name: type.name || path, size: type.size, fields };
    });
  }

  #field(member: BtfMember, path: string): FieldLayout {
    if (member.bitSize !== 0 || member.bitOffset % 8 !== 0) throw refuse(path, 'is a bitfield');
    if (member.name === '') throw refuse(path, 'has no name');
    const type = this.#type(member.type, path);
    return { name: member.name, offset: member.bitOffset / 8, size: sizeOf(type), type };
  }

  #type(id: number, path: string): FieldType {
    const type = this.#btf.resolve(id);
    switch (type.kind) {
      case 'int':
      case 'enum':
        return intType(type, path);
      case 'array': {
        const { length } = type;
        if (length === 0) throw refuse(path, 'is an array without a length');
        const element = this.#btf.resolve(type.element);
        if (element.kind === 'int' && element.name === 'char') return { kind: 'chars', length };
        return this.#within(type, path, () => ({
          kind: 'array',
          length,
          element: this.#type(type.element, `${path}[]`),
        }));
      }
      case 'struct':
        return { kind: 'struct', layout: this.struct(id, path) };
      default:
        throw refuse(path, `is ${article(type.kind)}`);
    }
  }

  #within<T>(type: BtfType, path: string, read: () => T): T {
    if (this.#open.has(type)) throw refuse(path, 'contains itself');
    this.#open.add(type);
    const result = read();
    this.#open.delete(type);
    return result;
  }
}

function intType(type: BtfType & { kind: 'int' | 'enum' }, path: string): FieldType {
  const { size } = type;
  if (size !== 1 && size !== 2 && size !== 4 && size !== 8) {
    throw refuse(path, `is an integer of ${size} bytes, which cannot be read`);
  }
  const signed = type.kind === 'enum' ? type.signed : (type.encoding & INT_SIGNED) !== 0;
  return { kind: 'int', size, signed };
}

/** Bytes of a value of that type. */
export function sizeOf(type: FieldType): number {
  switch (type.kind) {
    case 'int':
      return type.size;
    case 'chars':
      return type.length;
    case 'array':
      return type.length * sizeOf(type.element);
    case 'struct':
      return type.layout.size;
  }
}

function refuse(path: string, what: string): MemWatcherError {
  return new MemWatcherError('LAYOUT_INVALID', `${path} ${what}`, {
    hint: 'use integers of fixed width, char[], arrays and structs of them',
  });
}

function hole(where: string, bytes: number): MemWatcherError {
  return new MemWatcherError('LAYOUT_INVALID', `there is a hole of ${bytes} bytes ${where}`, {
    hint: 'order the members by size, or name the padding and set it to 0',
  });
}

function article(kind: string): string {
  return /^[aeio]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}
