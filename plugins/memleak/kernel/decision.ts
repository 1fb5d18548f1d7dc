/** From what grows to what is followed: pure. */
import type { AllocationSite } from './allocinfo.js';
import type { KernelConfig } from './config.js';
import type { Growth } from './growth.js';
import type { SlabCache } from './slabinfo.js';

/** What a series is of. */
export const KEYS = { slab: 'slab ', site: 'site ', memory: 'memory ' } as const;

export interface Followed {
  readonly caches: readonly string[];
  readonly pages: boolean;
  readonly percpu: boolean;
}

/** Allocators: each has its programs. */
export const GROUPS = ['slab', 'pages', 'percpu'] as const;
export type Group = (typeof GROUPS)[number];

/** What is followed where some allocators are left. */
export const without = (
  { caches, pages, percpu }: Followed,
  isLeft: (group: Group) => boolean,
): Followed => ({
  caches: isLeft('slab') ? [] : caches,
  pages: pages && !isLeft('pages'),
  percpu: percpu && !isLeft('percpu'),
});

type Wishes = Pick<KernelConfig, 'always' | 'caches' | 'ignore' | 'max_followed'>;

/** What the kernel says of itself at one moment. */
export interface Surveyed {
  readonly caches: readonly SlabCache[];
  /** Empty where the kernel keeps no account by place. */
  readonly sites: readonly AllocationSite[];
  readonly pageSize: number;
}

export function decide(wishes: Wishes, growing: readonly Growth[], surveyed: Surveyed): Followed {
  const { caches } = surveyed;
  const wanted = new Set(chosenByName(wishes.caches, caches));
  const kinds = new Set<string>(wishes.always);
  const places = new Set<string>();
  for (const { key } of growing) {
    if (key.startsWith(KEYS.slab)) wanted.add(key.slice(KEYS.slab.length));
    else if (key === `${KEYS.memory}percpu`) kinds.add('percpu');
    else if (key.startsWith(KEYS.memory)) kinds.add('pages');
    else places.add(key.slice(KEYS.site.length));
  }
  for (const site of surveyed.sites) {
    if (places.has(site.place)) whereSiteAllocates(site, surveyed, wanted, kinds);
  }
  const ignored = wishes.ignore.map(globOf);
  return {
    caches: [...wanted]
      .filter((name) => !ignored.some((glob) => glob.test(name)))
      .slice(0, wishes.max_followed),
    pages: kinds.has('pages'),
    percpu: kinds.has('percpu'),
  };
}

/**
 * The kernel does not say what a place of its source allocates of. Objects of a slab cache are all as
 * large as the cache says; whole pages are pages; the rest is per-CPU memory.
 */
function whereSiteAllocates(
  { bytes, calls }: AllocationSite,
  { caches, pageSize }: Surveyed,
  wanted: Set<string>,
  kinds: Set<string>,
): void {
  if (calls === 0) return;
  const size = bytes / calls;
  const ofSize = caches.filter(({ objectSize, bytes }) => objectSize === size && bytes > 0);
  for (const { name } of ofSize) wanted.add(name);
  if (ofSize.length === 0) kinds.add(size % pageSize === 0 ? 'pages' : 'percpu');
}

/** Literal names also where the caches of this kernel cannot be read. */
function chosenByName(patterns: readonly string[], caches: readonly SlabCache[]): string[] {
  return patterns.flatMap((pattern) => {
    if (!/[*?]/.test(pattern)) return [pattern];
    const glob = globOf(pattern);
    return caches.map(({ name }) => name).filter((name) => glob.test(name));
  });
}

function globOf(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`);
}
