/** What the name of a program's ELF section says: `kretprobe/shrink_node` → kretprobe, shrink_node. */
export interface Section {
  readonly kind: string;
  readonly hook: string;
}

export function parseSection(section: string): Section {
  const slash = section.indexOf('/');
  const kind = (slash < 0 ? section : section.slice(0, slash)).replace(/\.s$/, '');
  return { kind, hook: slash < 0 ? '' : section.slice(slash + 1) };
}

/** The kinds whose hook is bound at load, by its BTF id. */
export function isBoundAtLoad(kind: string): boolean {
  return ['tp_btf', 'fentry', 'fexit', 'fmod_ret'].includes(kind);
}

/** Whether its programs probe functions of user space. */
export function isUprobe(section: string): boolean {
  return ['uprobe', 'uretprobe'].includes(parseSection(section).kind);
}
