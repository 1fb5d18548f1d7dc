/**
 * /proc/allocinfo (6.10, CONFIG_MEM_ALLOC_PROFILING, sysctl vm.mem_profiling): what every place of
 * the kernel's source has allocated and not freed, exact and without a probe.
 */
export interface AllocationSite {
  /** `mm/slub.c:1234 [module] func:name`, as the kernel writes it. */
  readonly place: string;
  readonly bytes: number;
  /** Outstanding allocations. */
  readonly calls: number;
}

/** A kernel has some 5000 places. */
const MAX_SITES = 65_536;
/** Newer kernels mark what they could not count from the first on; what it has since is growth all the same. */
const LINE = /^ *(\d+) +(\d+) +(\S.*?)(?: +accurate:no)? *$/gm;

/** Places that hold nothing are left out. Inlined code has one place several times: it is one. */
export function parseAllocinfo(text: string): AllocationSite[] {
  const sites = new Map<string, AllocationSite>();
  for (const [, size, count, place = ''] of text.matchAll(LINE)) {
    const [bytes, calls] = [Number(size), Number(count)];
    if (bytes === 0 || sites.size >= MAX_SITES) continue;
    const same = sites.get(place);
    sites.set(place, {
      place,
      bytes: bytes + (same?.bytes ?? 0),
      calls: calls + (same?.calls ?? 0),
    });
  }
  return [...sites.values()];
}
