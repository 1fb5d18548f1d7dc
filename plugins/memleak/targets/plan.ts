/** Which functions of a file are probed for a target. Pure. */
import type { ProbeSite } from '../user/user-watch.js';
import { type Extras, type Family, type FileTraits, familyOf, wantedOf } from './allocators.js';
import type { Image } from './image.js';

export interface PlanOptions extends Extras {
  /** Functions that may leave by an exception are probed as well. */
  readonly throwing: boolean;
}

export interface FilePlan {
  readonly family: Family | undefined;
  readonly sites: readonly ProbeSite[];
  /** Of the functions that are called most, the share that is single-stepped: ten times as dear. */
  readonly stepped: number;
  /** Functions that allocate and are left out, as they could end the program. */
  readonly unsafe: readonly string[];
}

/** `name`: the file's base name. */
export function planFile(image: Image, name: string, options: PlanOptions): FilePlan {
  const traits: FileTraits = { name, defines: (symbol) => image.functions.has(symbol) };
  // Several names of one function are one site, or each call would be two hits.
  const sites = new Map<number, ProbeSite>();
  const unsafe = new Map<number, string>();
  for (const [symbol, { entry, offset }] of image.functions) {
    const wanted = wantedOf(symbol, traits, options);
    if (wanted === undefined) continue;
    if (wanted.mayThrow && !options.throwing) unsafe.set(entry, symbol);
    const site = { ...wanted, symbol, offset, entry };
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

/** The plainest name, `free` rather than `cfree`; and what may throw by one name may throw. */
function merged(a: ProbeSite, b: ProbeSite): ProbeSite {
  const [plain, other] = b.symbol.length < a.symbol.length ? [b, a] : [a, b];
  return other.mayThrow ? { ...plain, mayThrow: true } : plain;
}

const MAIN = /^(je_|_rjem_|mi_|tc_)?(malloc|free)$|^_Z[nd]/;

function steppedShare(sites: readonly ProbeSite[], image: Image): number {
  const main = sites.filter(({ symbol }) => MAIN.test(symbol));
  const counted = main.length > 0 ? main : sites;
  if (counted.length === 0) return 0;
  const isStepped = ({ symbol }: ProbeSite) => image.functions.get(symbol)?.emulated !== true;
  return counted.filter(isStepped).length / counted.length;
}
