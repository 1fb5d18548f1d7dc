/**
 * From the mask that the allocator used to the one that the caller passed.
 *
 * On its way in, the allocator takes bits away that the task's scope forbids (current_gfp_context of
 * include/linux/sched/mm.h): NOIO takes __GFP_IO and __GFP_FS, NOFS takes __GFP_FS, PIN takes
 * __GFP_MOVABLE. A bit that was taken cannot be told from one that never was there; so the caller's
 * mask is known where the task has none of these scopes, or where the bits are there after all.
 *
 * While there are cpusets the first attempt, and only it, adds __GFP_HARDWALL. A failure comes from
 * there if the page was found and its memory cgroup refused the charge: then that bit may be
 * either's.
 */
import type { GfpFlags } from '../../core/memory/gfp.js';
import type { AllocationScope } from './failure.js';

/** include/linux/sched.h; not in BTF, and the same since 5.13 at least. */
const PF_MEMALLOC_NOFS = 0x0004_0000;
const PF_MEMALLOC_NOIO = 0x0008_0000;
const PF_MEMALLOC_PIN = 0x1000_0000;
/** 6.9 to 6.11 only: NORECLAIM and NOWARN. 0x00800000 was PF_SWAPWRITE until 5.17. */
const PF_OF_SOME_KERNELS = 0x0180_0000;

export interface FlagsContext {
  readonly gfp: Pick<GfpFlags, 'has'>;
  /** Whether there are cpusets beside the root's. */
  readonly cpusets: boolean;
}

/** The caller's mask, given the one in use and the task's flags; undefined if it cannot be told. */
export function requestedOf(
  gfp: number,
  taskFlags: number,
  context: FlagsContext,
): number | undefined {
  if ((taskFlags & PF_OF_SOME_KERNELS) !== 0) return undefined;
  return scopesOf(gfp, taskFlags, context).length > 0 ? undefined : gfp;
}

/** What may have changed the caller's mask. */
export function scopesOf(
  mask: number,
  taskFlags: number,
  { gfp, cpusets }: FlagsContext,
): AllocationScope[] {
  const scopes: AllocationScope[] = [];
  if ((taskFlags & PF_MEMALLOC_NOIO) !== 0) scopes.push('noio');
  if ((taskFlags & PF_MEMALLOC_NOFS) !== 0) scopes.push('nofs');
  if ((taskFlags & PF_MEMALLOC_PIN) !== 0) scopes.push('pin');
  const has = (name: `__GFP_${string}`) => gfp.has(mask, name) !== false;
  if (cpusets && has('__GFP_HARDWALL') && has('__GFP_ACCOUNT')) scopes.push('cpuset');
  return scopes;
}
