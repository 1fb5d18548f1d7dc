/** Records as a BPF program writes them, for tests: the bytes of a struct from its members. */
import type { FieldType, StructLayout } from '../../core/bpf/layout.js';
import { sizeOf } from '../../core/bpf/struct.js';

export type RecordValue =
  | number
  | bigint
  | string
  | readonly RecordValue[]
  | { readonly [member: string]: RecordValue };
export type RecordValues = Readonly<Record<string, RecordValue>>;

/** Members that are not given are 0. */
export function encodeRecord(layout: StructLayout, values: RecordValues): Uint8Array {
  const bytes = new Uint8Array(layout.size);
  writeRecord(bytes, 0, layout, values);
  return bytes;
}

/** The same, over what is there. */
export function writeRecord(
  to: Uint8Array,
  at: number,
  layout: StructLayout,
  values: RecordValues,
): void {
  for (const [name, value] of Object.entries(values)) {
    const field = layout.fields.find((candidate) => candidate.name === name);
    if (!field) throw new Error(`${layout.name} has no ${name}`);
    write(to, at + field.offset, field.type, value);
  }
}

function write(to: Uint8Array, at: number, type: FieldType, value: RecordValue): void {
  const view = Buffer.from(to.buffer, to.byteOffset, to.byteLength);
  switch (type.kind) {
    case 'int': {
      const bits = BigInt.asUintN(8 * type.size, BigInt(value as number));
      for (let n = 0; n < type.size; n++) view[at + n] = Number((bits >> BigInt(8 * n)) & 0xffn);
      break;
    }
    case 'chars':
      view.write(value as string, at, type.length, 'utf8');
      break;
    case 'array':
      for (const [n, element] of (value as readonly RecordValue[]).entries()) {
        write(to, at + n * sizeOf(type.element), type.element, element);
      }
      break;
    case 'struct':
      writeRecord(to, at, type.layout, value as RecordValues);
  }
}
