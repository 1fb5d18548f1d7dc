/** A group in which no page is to be had any more. */
import { MemoryCgroup } from './memory-cgroup.js';

/** Less than the pipes of a test hold, and enough for what the kernel itself needs of a process. */
const LIMIT = 256 * 1024;

export const exhausted = (path?: string): MemoryCgroup =>
  MemoryCgroup.make({ limit: LIMIT, ...(path === undefined ? {} : { path }) });

/** Makes one of a group whose processes are in it already, whatever they hold. */
export function exhaust(group: MemoryCgroup): void {
  try {
    group.limit(LIMIT);
  } catch (error) {
    // Version 1 sets no limit below what is held; it has taken back what could be.
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    group.limit(Number(group.read('memory.usage_in_bytes')));
  }
}

/** One for `test`, and gone however it ends. */
export async function withExhausted<T>(
  test: (group: MemoryCgroup) => Promise<T>,
  path?: string,
): Promise<T> {
  const group = exhausted(path);
  try {
    return await test(group);
  } finally {
    group.remove();
  }
}

/**
 * The first steps of a process that enters one: it takes no fault there, and nothing kills it (of
 * version 1 the group itself says so).
 */
export const UNKILLABLE: readonly string[] =
  MemoryCgroup.version === 1 ? ['lock'] : ['oom=-1000', 'lock'];

/** The same on one CPU: the group's usage is its limit then, also right after a failure. */
export const PINNED: readonly string[] = ['cpu=0', ...UNKILLABLE];
