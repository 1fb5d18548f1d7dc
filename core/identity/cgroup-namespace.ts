import { statSync } from 'node:fs';
import { type CgroupMount, cgroupMounts } from './cgroup-mount.js';

/** PROC_CGROUP_INIT_INO of linux/proc_ns.h: the inode of the host's own cgroup namespace. */
const HOST_NAMESPACE = 0xef_ff_ff_fb;

/** Which cgroups the agent sees: those of the host, of its own namespace, or of both. */
export type CgroupNamespace = 'host' | 'private' | 'private, host mounted';

/** undefined where the kernel does not say: it has no cgroup namespaces, or /proc is hidden. */
export function cgroupNamespace(
  inodeOf: () => number | undefined = ownInode,
  mounts = mountsOrNone,
): CgroupNamespace | undefined {
  const inode = inodeOf();
  if (inode === undefined) return undefined;
  if (inode === HOST_NAMESPACE) return 'host';
  return ofMemory(mounts()).some(showsHost) ? 'private, host mounted' : 'private';
}

/** Ids come from the hierarchy of the memory controller: its own (v1), or the unified one. */
function ofMemory(mounts: readonly CgroupMount[]): readonly CgroupMount[] {
  const own = mounts.filter(({ controller }) => controller === 'memory');
  return own.length > 0 ? own : mounts.filter(({ controller }) => controller === undefined);
}

/** The kernel writes a root above the reader's namespace as `/..`, `/../..` and so on. */
const showsHost = ({ root }: CgroupMount): boolean => /^(?:\/\.\.)+$/.test(root);

const ownInode = () => statSync('/proc/self/ns/cgroup', { throwIfNoEntry: false })?.ino;

function mountsOrNone(): readonly CgroupMount[] {
  try {
    return cgroupMounts();
  } catch {
    return []; // no /proc
  }
}
