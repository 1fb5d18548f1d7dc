import { MemWatcherError } from '../errors.js';
import { type Btf, type BtfMember, INT_SIGNED } from './btf.js';
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
  return structOf(btf, id, name, name);
}

/** The layout of the struct of that BTF id; `path` is how errors call it. */
export function structLayoutById(btf: Btf, id: number): StructLayout {
  const type = btf.resolve(id);
  const alias = btf.type(id);
  const name = ('name' in type && type.name) || ('name' in alias && alias.name) || `type ${id}`;
  return structOf(btf, id, name, name);
}

function structOf(btf: Btf, id: number, name: string, path: string): StructLayout {
  const type = btf.resolve(id);
  if (type.kind !== 'struct') throw refuse(path, `is ${article(type.kind)}, not a struct`);
  const fields: FieldLayout[] = [];
  let end = 0;
  for (const member of type.members) {
    const field = fieldOf(btf, member, `${path}.${member.name || '(anonymous)'}`);
    if (field.offset !== end) throw hole(`before ${path}.${field.name}`, field.offset - end);
    end = field.offset + field.size;
    fields.push(field);
  }
  if (end !== type.size) throw hole(`at the end of ${path}`, type.size - end);
  return { name: type.name || name, size: type.size, fields };
}

function fieldOf(btf: Btf, member: BtfMember, path: string): FieldLayout {
  if (member.bitSize !== 0 || member.bitOffset % 8 !== 0) throw refuse(path, 'is a bitfield');
  if (member.name === '') throw refuse(path, 'has no name');
  const type = fieldType(btf, member.type, path);
  return { name: member.name, offset: member.bitOffset / 8, size: sizeOf(type), type };
}

function fieldType(btf: Btf, id: number, path: string): FieldType {
  const type = btf.resolve(id);
  switch (type.kind) {
    case 'int':
    case 'enum':
      if (type.size !== 1 && type.size !== 2 && type.size !== 4 && type.size !== 8) {
        throw refuse(path, `is an integer of ${type.size} bytes, more than can be read`);
      }
      return {
        kind: 'int',
        size: type.size,
        signed: type.kind === 'enum' ? type.signed : (type.encoding & INT_SIGNED) !== 0,
      };
    case 'array': {
      if (type.length === 0) throw refuse(path, 'is an array without a length');
      const element = btf.resolve(type.element);
      return element.kind === 'int' && element.name === 'char'
        ? { kind: 'chars', length: type.length }
        : {
            kind: 'array',
            length: type.length,
            element: fieldType(btf, type.element, `${path}[]`),
          };
    }
    case 'struct':
      return { kind: 'struct', layout: structOf(btf, id, path, path) };
    default:
      throw refuse(path, `is ${article(type.kind)}`);
  }
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
  return /^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}
