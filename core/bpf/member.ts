import { MemWatcherError } from '../errors.js';
import type { FieldType, StructLayout } from './layout.js';
import { sizeOf } from './struct.js';

/** Where a path leads: a member, or `zones[2].free`. LAYOUT_INVALID if it leads nowhere. */
export function locate(layout: StructLayout, path: string): { type: FieldType; offset: number } {
  let type: FieldType = { kind: 'struct', layout };
  let offset = 0;
  for (const [, index, name] of path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)) {
    if (index !== undefined) {
      const position = Number(index);
      if (type.kind !== 'array' || position >= type.length) {
        throw mismatch(layout, path, 'is outside of any array');
      }
      offset += position * sizeOf(type.element);
      type = type.element;
      continue;
    }
    const field: StructLayout['fields'][number] | undefined =
      type.kind === 'struct' ? type.layout.fields.find((one) => one.name === name) : undefined;
    if (!field) throw mismatch(layout, path, `does not exist`);
    offset += field.offset;
    type = field.type;
  }
  return { type, offset };
}

export function mismatch(layout: StructLayout, path: string, what: string): MemWatcherError {
  return new MemWatcherError('LAYOUT_INVALID', `${layout.name}.${path} ${what}`, {
    hint: `its members are ${layout.fields.map((field) => field.name).join(', ')}`,
  });
}
