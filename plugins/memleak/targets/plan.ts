/** Which functions of a file are probed for a target. Pure. */
import { hasResult, type ProbeSite, type Shape } from '../user/user-watch.js';
import { type Extras, type Family, type FileTraits, familyOf, wantedOf } from './allocators.js';
import type { Image, ImageFunction } from './image.js';

export interface PlanOptions extends Extras {
  /** Functions that may leave by an exception are probed as well, at their returns. */
  readonly throwing: boolean;
  /** All are probed at their returns: nothing of ours is on a stack that the program walks. */
  readonly walksStacks?: true;
}

export interface FilePlan {
  readonly family: Family | undefined;
  readonly sites: readonly ProbeSite[];
  /** Of the functions that are called most, the share that is single-stepped: ten times as dear. */
  readonly stepped: number;
  /** Functions that allocate and are left out: where they return is not known, or not wanted. */
  readonly unsafe: readonly string[];
}

/** Bytes into the file where a function returns; undefined where that is not known. */
export type ExitsOf = (fn: ImageFunction) => readonly number[] | undefined;

/** `name`: the file's base name. */
export function planFile(
  image: Image,
  name: string,
  options: PlanOptions,
  exitsOf: ExitsOf,
): FilePlan {
  // Go moves its stacks, and with them what a return probe has put there.
  if (image.isGo) return { family: undefined, sites: [], stepped: 0, unsafe: [] };
  const traits: FileTraits = { name, defines: (symbol) => image.functions.has(symbol) };
  // Several names of one function are one site, or each call would be two hits.
  const sites = new Map<number, ProbeSite>();
  const unsafe = new Map<number, string>();
  for (const [symbol, fn] of image.functions) {
    const { entry, offset } = fn;
    const wanted = wantedOf(symbol, traits, options);
    if (wanted === undefined) continue;
    const { shape } = wanted;
    const throws = wanted.mayThrow === true && hasResult(shape);
    const isWanted = options.throwing || !throws;
    const needsExits = throws || (options.walksStacks === true && isOfHeap(shape));
    const exits = needsExits && isWanted && isOfHeap(shape) ? exitsOf(fn) : undefined;
    if (needsExits && !exits) unsafe.set(entry, symbol);
    const site = { shape, symbol, offset, entry, ...(exits && { exits }) };
    const known = sites.get(entry);
    sites.set(entry, known ? merged(known, site) : site);
  }
  for (const entry of unsafe.keys()) sites.delete(entry);
  const chosen = [...sites.values()];
  const isConfigured = chosen.some(({ symbol }) => Object.hasOwn(options.functions, symbol));
  return {
    family: familyOf(traits) ?? (isConfigured ? 'other' : undefined),
    sites: chosen,
    stepped: steppedShare(chosen, image),
    unsafe: [...unsafe.values()],
  };
}

/** What allocates of the heap: sanitizers do not walk stacks for mappings. */
const isOfHeap = (shape: Shape): boolean =>
  hasResult(shape) && !['mmap', 'mremap', 'sbrk'].includes(shape);

/** The plainest name, `free` rather than `cfree`; and what may throw by one name may throw. */
function merged(a: ProbeSite, b: ProbeSite): ProbeSite {
  const [plain, other] = b.symbol.length < a.symbol.length ? [b, a] : [a, b];
  return other.exits ? { ...plain, exits: other.exits } : plain;
}

const MAIN = /^(je_|_rjem_|mi_|tc_)?(malloc|free)$|^_Z[nd]/;

function steppedShare(sites: readonly ProbeSite[], image: Image): number {
  const main = sites.filter(({ symbol }) => MAIN.test(symbol));
  const counted = main.length > 0 ? main : sites;
  if (counted.length === 0) return 0;
  const isStepped = ({ symbol }: ProbeSite) => image.functions.get(symbol)?.emulated !== true;
  // A `ret` is stepped through; of each call there is one.
  const exits = counted.filter(({ exits }) => exits).length;
  return (counted.filter(isStepped).length + exits) / (counted.length + exits);
}
