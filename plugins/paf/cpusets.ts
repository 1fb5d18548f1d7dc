import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupMounts } from '../../core/identity/cgroup-mount.js';

export interface CpusetSources {
  /** The text of a file; throws where there is none. */
  readonly read?: (path: string) => string;
}

/**
 * Whether the kernel has cpusets beside the root's: then, and only then, the allocator's first
 * attempt is confined to one (cpusets_enabled() of include/linux/cpuset.h). `true` where it cannot
 * be told.
 */
export function hasCpusets({ read = (path) => readFileSync(path, 'utf8') }: CpusetSources = {}) {
  try {
    const count = v1Cpusets(read('/proc/cgroups'));
    if (count !== undefined) return count > 1;
    const mount = cgroupMounts(read('/proc/self/mountinfo')).find(
      ({ controller, root }) => controller === undefined && root === '/',
    );
    if (mount === undefined) return true;
    return read(join(mount.point, 'cgroup.subtree_control')).split(/\s+/).includes('cpuset');
  } catch {
    return true;
  }
}

/** Cpusets of a v1 hierarchy, the root included; undefined where the controller is v2's. */
function v1Cpusets(cgroups: string): number | undefined {
  const [, hierarchy, count] = /^cpuset\t(\d+)\t(\d+)\t/m.exec(cgroups) ?? [];
  return hierarchy === undefined || hierarchy === '0' ? undefined : Number(count);
}
