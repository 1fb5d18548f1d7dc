/** What /proc/meminfo says of memory that the kernel holds and that is no slab. Bytes. */
export interface KernelMemory {
  /** Pages that no figure of the kernel accounts for: of drivers, of the network, of leaks. */
  readonly unaccounted: number;
  readonly vmalloc: number;
  readonly percpu: number;
  readonly pageTables: number;
  readonly kernelStacks: number;
}

/** Figures that do not overlap, and with what is unaccounted for make up MemTotal. Vmalloc's pages are
 * told by themselves. */
const ACCOUNTED = [
  'MemFree',
  'Active',
  'Inactive',
  'Unevictable',
  'Slab',
  'KernelStack',
  'PageTables',
  'SecPageTables',
  'VmallocUsed',
  'Percpu',
  'Hugetlb',
  'Balloon',
];

/** undefined: it is no /proc/meminfo. A figure that this kernel does not have counts as nothing. */
export function parseMeminfo(text: string): KernelMemory | undefined {
  const figures = new Map<string, number>();
  for (const [, name = '', kilobytes] of text.matchAll(/^(\S+): +(\d+) kB$/gm)) {
    figures.set(name, Number(kilobytes) * 1024);
  }
  const of = (name: string) => figures.get(name) ?? 0;
  if (!figures.has('MemTotal')) return undefined;
  const accounted = ACCOUNTED.reduce((sum, name) => sum + of(name), 0);
  return {
    unaccounted: Math.max(0, of('MemTotal') - accounted),
    vmalloc: of('VmallocUsed'),
    percpu: of('Percpu'),
    pageTables: of('PageTables') + of('SecPageTables'),
    kernelStacks: of('KernelStack'),
  };
}
