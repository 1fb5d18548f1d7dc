/**
 * Walks over all elements of a map, by what the kernel accepts (the part `walk` of the profile):
 *
 *   for-each   a program that is run and calls bpf_for_each_map_elem
 *   iterator   a program that the kernel runs for each element, while its link is read
 *   lookups    no program: user space reads the elements in batches
 *
 * No walk keeps a CPU for more than a few milliseconds. A run of a program cannot be continued later, so
 * it gives up where the map has more elements than its limit; the caller then walks by look-ups. An iterator
 * is read in steps, and look-ups are steps. docs/decisions/0088-three-ways-to-walk-a-map.md has figures.
 */
import type { BpfLink, BpfObject, LoadedBpf, MappedArray } from '../../../core/bpf/host.js';
import type { Closable } from '../../../core/scope.js';

export const WALKS = ['for-each', 'iterator', 'lookups'] as const;
export type WalkName = (typeof WALKS)[number];

/** Elements that one run of a program visits at most, if it only reads them. */
export const LIMIT = 2048;
/** Room for elements in a map whose empty buckets alone take a run of a program 2 ms. */
export const LARGEST = 2 ** 20;
/** Elements of one read of an iterator, or of one look-up. */
export const STEP = 2048;

/** The elements that a walk has visited: all, some before it gave up, or not even one. */
export type Visited = 'whole' | 'part' | 'none';

/** The kernel's side of a walk. */
export interface Walk extends Closable {
  /** `expected`: elements that the map had of late. */
  run(expected?: number): Visited;
  close(): void;
}

/** A map, and the programs that visit its elements. */
export interface WalkedMap {
  /** Elements that one run of `forEach` visits at most. */
  readonly limit: number;
  readonly map: string;
  readonly forEach: string;
  readonly iterator: string;
}

/** The walk that was loaded; look-ups need nothing that could be. */
const walkNameOf = ({ parts }: LoadedBpf): WalkName =>
  WALKS.find((name) => name === parts.get('walk')) ?? 'lookups';

export function openWalk(loaded: LoadedBpf, walked: WalkedMap): Walk {
  const { object } = loaded;
  const { map, iterator } = walked;
  switch (walkNameOf(loaded)) {
    case 'for-each':
      return object.map(map).spec.maxEntries > LARGEST ? BY_LOOKUPS : new ForEach(object, walked);
    case 'iterator':
      return new Iterator(object.attach(iterator, { map }));
    default:
      return BY_LOOKUPS;
  }
}

const BY_LOOKUPS: Walk = { run: () => 'none', close: () => undefined };

/** Throws what refuses a walk that was loaded; for `verify`, while the maps are empty. */
export function tryWalks(loaded: LoadedBpf, maps: readonly WalkedMap[]): void {
  for (const map of maps) {
    const walk = openWalk(loaded, map);
    try {
      walk.run();
    } finally {
      walk.close();
    }
  }
}

class ForEach implements Walk {
  readonly #object: BpfObject;
  readonly #program: string;
  readonly #limit: number;
  readonly #bound: MappedArray;

  constructor(object: BpfObject, { forEach, limit }: WalkedMap) {
    this.#object = object;
    this.#program = forEach;
    this.#limit = limit;
    this.#bound = object.map('walk_bounds').mapped();
  }

  run(expected = 0): Visited {
    if (expected > this.#limit) return 'none';
    const { buffer, byteOffset } = this.#bound.bytes;
    // struct walk_bound: limit, visited.
    const bound = new BigUint64Array(buffer, byteOffset, 2);
    bound[0] = BigInt(this.#limit);
    bound[1] = 0n;
    this.#object.run(this.#program);
    return (bound[1] ?? 0n) > this.#limit ? 'part' : 'whole';
  }

  close(): void {
    this.#bound.close();
  }
}

class Iterator implements Walk {
  readonly #link: BpfLink;

  constructor(link: BpfLink) {
    this.#link = link;
  }

  run(): Visited {
    this.#link.readAll(STEP);
    return 'whole';
  }

  close(): void {
    this.#link.close();
  }
}
