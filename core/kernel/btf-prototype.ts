/** Types as C writes them: `struct task_struct *`, `unsigned int`, `gfp_t`, `void (*)(int)`. */
import { btfInvalid } from './btf-format.js';
import { type KernelBtf, Kind } from './kernel-btf.js';

const TAG: Readonly<Record<number, string>> = {
  [Kind.STRUCT]: 'struct',
  [Kind.UNION]: 'union',
  [Kind.ENUM]: 'enum',
  [Kind.ENUM64]: 'enum',
};
const QUALIFIER: Readonly<Record<number, string>> = {
  [Kind.CONST]: 'const',
  [Kind.VOLATILE]: 'volatile',
  [Kind.RESTRICT]: 'restrict',
};

/**
 * Parameter types of the tracepoint `name`, as its BTF-typed programs get them (the leading
 * `void *__data` is the kernel's own). undefined if BTF has no such tracepoint.
 */
export function tracepointPrototype(btf: KernelBtf, name: string): string[] | undefined {
  for (const id of btf.find(`btf_trace_${name}`, Kind.TYPEDEF)) {
    const pointer = btf.target(id);
    const prototype = btf.kind(pointer) === Kind.PTR ? btf.target(pointer) : 0;
    if (btf.kind(prototype) !== Kind.FUNC_PROTO) continue;
    return btf
      .parameters(prototype)
      .slice(1)
      .map((type) => printType(btf, type));
  }
  return undefined;
}

/** Parameter types of the kernel's function `name`; undefined if BTF has no such function. */
export function functionPrototype(btf: KernelBtf, name: string): string[] | undefined {
  const [id] = btf.find(name, Kind.FUNC);
  if (id === undefined) return undefined;
  return btf.parameters(btf.target(id)).map((type) => printType(btf, type));
}

export function printType(btf: KernelBtf, id: number): string {
  return new Declaration(btf, id).text.replaceAll(/\s+/g, ' ').trim();
}

/** Spaces do not count, nor whether the star touches: `int*` is `int *`. */
export const normalizeType = (text: string) =>
  text
    .replaceAll(/\s*\*\s*/g, ' *')
    .replaceAll(/\* \*/g, '**')
    .replaceAll(/\s+/g, ' ')
    .trim();

/** Types that one declaration may go through; damaged BTF can refer to itself without end. */
const MAX_STEPS = 1000;

class Declaration {
  readonly text: string;
  readonly #btf: KernelBtf;
  #steps = 0;

  constructor(btf: KernelBtf, id: number) {
    this.#btf = btf;
    this.text = this.#declare(id, '');
  }

  /** `inner` is what has been written so far, from the name outwards: C reads inside out. */
  #declare(id: number, inner: string): string {
    const btf = this.#btf;
    if (++this.#steps > MAX_STEPS) throw btfInvalid(btf.file, `type ${id} refers to itself`);
    const kind = btf.kind(id);
    switch (kind) {
      case Kind.PTR: {
        const target = btf.target(id);
        const behind = btf.kind(target);
        const grouped = behind === Kind.FUNC_PROTO || behind === Kind.ARRAY;
        return this.#declare(target, grouped ? `(*${inner})` : `*${inner}`);
      }
      case Kind.CONST:
      case Kind.VOLATILE:
      case Kind.RESTRICT: {
        const word = QUALIFIER[kind] ?? '';
        const target = btf.target(id);
        // A qualifier of a pointer stands after its star, of anything else before the type.
        return btf.kind(target) === Kind.PTR
          ? this.#declare(target, ` ${word} ${inner}`)
          : `${word} ${this.#declare(target, inner)}`;
      }
      case Kind.TYPE_TAG:
        return this.#declare(btf.target(id), inner);
      case Kind.ARRAY:
        return this.#declare(btf.target(id), `${inner}[${btf.arrayLength(id)}]`);
      case Kind.FUNC_PROTO: {
        const types = btf
          .parameters(id)
          .map((type) => (type === 0 ? '...' : this.#declare(type, '').trim()));
        return this.#declare(btf.target(id), `${inner}(${types.join(', ') || 'void'})`);
      }
      case Kind.FWD:
        return `${btf.isUnionForward(id) ? 'union' : 'struct'} ${btf.name(id)} ${inner}`;
      default:
        return `${TAG[kind] ?? ''} ${btf.name(id) || '{anonymous}'} ${inner}`;
    }
  }
}
