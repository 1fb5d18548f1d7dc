import { readFileSync } from 'node:fs';

/** Where a hierarchy of cgroups can be seen as folders. */
export interface CgroupMount {
  /** Of a v1 hierarchy; undefined: the unified one (v2). */
  readonly controller: string | undefined;
  /** The cgroup that is mounted, as /proc/PID/cgroup writes it: `/` unless a part is mounted. */
  readonly root: string;
  /** The folder where it is. */
  readonly point: string;
}

/** The hierarchies of `text`, which is /proc/self/mountinfo; what is mounted twice comes twice. */
export function cgroupMounts(text = readFileSync('/proc/self/mountinfo', 'utf8')): CgroupMount[] {
  return text.split('\n').flatMap(mountsOfLine);
}

/**
 * The folder of the cgroup `path`, if the mount shows it. What lies outside of the reader's cgroup
 * namespace (`/../x`) is shown only by a mount from there, whose root is written likewise.
 */
export function folderOf({ root, point }: CgroupMount, path: string): string | undefined {
  const base = root === '/' ? '' : root;
  if (path !== base && !path.startsWith(`${base}/`)) return undefined;
  const rest = path.slice(base.length);
  return rest.split('/').includes('..') ? undefined : `${point}${rest}`;
}

/** `35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory` */
function mountsOfLine(line: string): CgroupMount[] {
  const [mount = '', system = ''] = line.split(' - ');
  const [, , , root, point] = mount.split(' ');
  const [type, , options = ''] = system.split(' ');
  if (root === undefined || point === undefined) return [];
  const where = { root: unescaped(root), point: unescaped(point) };
  if (type === 'cgroup2') return [{ controller: undefined, ...where }];
  if (type !== 'cgroup') return [];
  return options.split(',').map((controller) => ({ controller, ...where }));
}

/** Blanks and the like are octal there: `\040`. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
