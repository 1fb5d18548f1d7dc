/** Fields by path, as C writes them: `task_struct.mm`, `pglist_data.node_zones[0].vm_stat`. */
import { type KernelBtf, Kind } from './kernel-btf.js';

export interface FieldPlace {
  readonly bitOffset: number;
  /** 0 unless it is a bit field. */
  readonly bitSize: number;
  readonly type: number;
}

/** A sentence says which part of the path is missing. */
export type Found<T> = { readonly found: T } | { readonly missing: string };

const SPACES: Readonly<Record<string, readonly number[]>> = {
  struct: [Kind.STRUCT],
  union: [Kind.UNION],
  enum: [Kind.ENUM, Kind.ENUM64],
  typedef: [Kind.TYPEDEF],
};
const COMPLETE = [Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.TYPEDEF, Kind.INT];

/** The name that the kernel knows: `mm_struct___before_6_2` is our flavour of `mm_struct`. */
const withoutFlavour = (name: string) => name.replace(/(?<=.)___.*$/, '');

/**
 * Complete types of that name; `struct x`, `union x`, `enum x` and `typedef x` say which kind. A
 * kernel may have several structs of one name in different files.
 */
export function findTypes(btf: KernelBtf, text: string): number[] {
  const words = text.trim().split(/\s+/);
  const kinds = words.length > 1 ? SPACES[words[0] ?? ''] : undefined;
  const name = kinds ? words.slice(1).join(' ') : words.join(' ');
  return btf.find(withoutFlavour(name), ...(kinds ?? COMPLETE));
}

/** The place of `struct.field.field[n]`, through anonymous members and typedefs. */
export function findField(btf: KernelBtf, path: string): Found<FieldPlace> {
  const dot = path.indexOf('.');
  const owner = (dot < 0 ? path : path.slice(0, dot)).trim();
  const steps = dot < 0 ? [] : (path.slice(dot + 1).match(/[^.[\]\s]+|\[\s*\d+\s*\]/g) ?? []);
  if (steps.length === 0) return { missing: `${path} names no field: write type.field` };
  const types = findTypes(btf, owner);
  if (types.length === 0) return { missing: `type ${owner}` };
  let first: Found<FieldPlace> | undefined;
  for (const type of types) {
    const result = walk(btf, type, owner, steps);
    if ('found' in result) return result;
    first ??= result;
  }
  return first ?? { missing: `field ${path}` };
}

function walk(
  btf: KernelBtf,
  type: number,
  owner: string,
  steps: readonly string[],
): Found<FieldPlace> {
  let place: FieldPlace = { bitOffset: 0, bitSize: 0, type };
  let seen = owner;
  for (const step of steps) {
    const at = btf.strip(place.type);
    const next = step.startsWith('[')
      ? element(btf, at, Number(step.replace(/[[\]\s]/g, '')))
      : member(btf, at, step);
    if (next === undefined) {
      const pointer = btf.kind(at) === Kind.PTR ? `: ${seen} is a pointer, start at its type` : '';
      return { missing: `field ${seen}${step.startsWith('[') ? step : `.${step}`}${pointer}` };
    }
    place = { ...next, bitOffset: place.bitOffset + next.bitOffset };
    seen += step.startsWith('[') ? step : `.${step}`;
  }
  return { found: place };
}

function element(btf: KernelBtf, array: number, index: number): FieldPlace | undefined {
  if (btf.kind(array) !== Kind.ARRAY) return undefined;
  const type = btf.target(array);
  const length = btf.arrayLength(array);
  // Length 0 is a flexible array: its elements lie behind the struct.
  if (length > 0 && index >= length) return undefined;
  return { bitOffset: index * (btf.size(type) ?? 0) * 8, bitSize: 0, type };
}

function member(
  btf: KernelBtf,
  struct: number,
  name: string,
  seen = new Set<number>(),
): FieldPlace | undefined {
  const kind = btf.kind(struct);
  // Only damaged BTF has a struct within itself.
  if ((kind !== Kind.STRUCT && kind !== Kind.UNION) || seen.has(struct)) return undefined;
  seen.add(struct);
  for (const found of btf.members(struct)) {
    if (found.name === name) return found;
    if (found.name !== '') continue;
    const inner = member(btf, btf.strip(found.type), name, seen);
    if (inner) return { ...inner, bitOffset: found.bitOffset + inner.bitOffset };
  }
  return undefined;
}
