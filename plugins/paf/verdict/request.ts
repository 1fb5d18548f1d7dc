/** What the allocator's rule needs of a request, from its flags and the running kernel. */
import type { GfpFlags, GfpName } from '../../../core/memory/gfp.js';
import type { MigrateTypes } from '../../../core/memory/migrate-type.js';
import type { Failure } from '../failure.js';
import type { MigrateTypeNumbers, PageRequest } from './watermark.js';

export interface RequestContext {
  readonly gfp: Pick<GfpFlags, 'has'>;
  readonly migrateTypes: Pick<MigrateTypes, 'value'>;
}

/** undefined where the kernel's flags are not known. */
export function requestOf(
  failure: Failure,
  { gfp, migrateTypes }: RequestContext,
): PageRequest | undefined {
  const has = (name: GfpName) => gfp.has(failure.gfp, name);
  const directReclaim = has('__GFP_DIRECT_RECLAIM');
  if (directReclaim === undefined) return undefined;
  return {
    order: failure.order,
    movable: failure.migrateType === migrateTypes.value('movable'),
    scopes: failure.scopes,
    entitlement: failure.entitlement,
    flags: {
      high: has('__GFP_HIGH') === true,
      atomic: has('__GFP_ATOMIC') === true,
      directReclaim,
      memalloc: has('__GFP_MEMALLOC') === true,
      noMemalloc: has('__GFP_NOMEMALLOC') === true,
    },
  };
}

/** PAGE_ALLOC_COSTLY_ORDER: up to it the allocator tries again and again, and kills at last. */
const COSTLY_ORDER = 3;

/** Whether the allocator ever refuses such a request a page: __alloc_pages_slowpath(). */
export function failsForPages(
  { gfp, order, entitlement, highestZone, zones }: Failure,
  context: RequestContext,
): boolean {
  const has = (name: GfpName) => context.gfp.has(gfp, name) === true;
  const normal = zones.find(({ name }) => name === 'Normal')?.index;
  return (
    !has('__GFP_DIRECT_RECLAIM') ||
    order > COSTLY_ORDER ||
    has('__GFP_NORETRY') ||
    has('__GFP_RETRY_MAYFAIL') ||
    has('__GFP_THISNODE') ||
    entitlement.memalloc ||
    entitlement.oomVictim ||
    (normal !== undefined && highestZone < normal)
  );
}

/** undefined where the kernel's BTF does not tell, and free lists are not judged on. */
export function typeNumbers({ migrateTypes }: RequestContext): MigrateTypeNumbers | undefined {
  const unmovable = migrateTypes.value('unmovable');
  const movable = migrateTypes.value('movable');
  const reclaimable = migrateTypes.value('reclaimable');
  if (unmovable === undefined || movable === undefined || reclaimable === undefined) {
    return undefined;
  }
  const [highatomic, cma] = ['highatomic', 'cma'].map((name) => migrateTypes.value(name));
  return { unmovable, movable, reclaimable, highatomic, cma };
}
