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
  /** One of the sites is single-stepped: a hit costs ten times as much. */
  readonly stepped: boolean;
  /** Functions that allocate and are left out, as they could end the program. */
  readonly unsafe: readonly string[];
}

/** `name`: the file's base name. */
export function planFile(image: Image, name: string, options: PlanOptions): FilePlan {
  const traits: FileTraits = {
    name,
    defines: (symbol) => image.functions.has(symbol),
  };
  // Several names of one function are one site, or each call would be two hits.
  const sites = new Map<number, ProbeSite>();
  const unsafe = new Set<number>();
  const names: string[] = [];
  let stepped = false;
  for (const [symbol, { entry, offset, stepped: isStepped }] of image.functions) {
    const wanted = wantedOf(symbol, traits, options);
    if (wanted === undefined) continue;
    const { shape, mayThrow } = wanted;
    if (mayThrow && !options.throwing) {
      unsafe.add(entry);
      names.push(symbol);
      continue;
    }
    const known = sites.get(entry);
    if (known && !mayThrow) continue;
    sites.set(entry, { shape, symbol, offset, entry, ...(mayThrow && { mayThrow }) });
    stepped ||= isStepped;
  }
  for (const entry of unsafe) sites.delete(entry);
  const family =
    familyOf(traits) ?? (sites.size > 0 && hasConfigured(sites, options) ? 'other' : undefined);
  return { family, sites: [...sites.values()], stepped, unsafe: names };
}

function hasConfigured(sites: ReadonlyMap<number, ProbeSite>, { functions }: PlanOptions): boolean {
  return [...sites.values()].some(({ symbol }) => Object.hasOwn(functions, symbol));
}
