import { MemWatcherError } from '../../core/errors.js';
import type { Process } from './process.js';

/** Which processes exist for the plugin at all; an empty list does not filter. */
export interface FilterConfig {
  readonly pids: readonly number[];
  readonly names: readonly string[];
  readonly users: readonly (string | number)[];
  readonly cgroups: readonly string[];
}

export interface FilterContext {
  /** Path of the process's cgroup, where it is known. */
  readonly cgroupPath: (process: Process) => string | undefined;
  /** User id of a name; undefined if there is no such user. */
  readonly userId: (name: string) => number | undefined;
}

export type Filter = (process: Process) => boolean;

/**
 * A process passes when it passes every list that is not empty, and it passes a list when one of
 * its entries fits. CONFIG_INVALID for a pattern or user that cannot be.
 */
export function makeFilter(config: FilterConfig, context: FilterContext): Filter {
  const tests: Filter[] = [];
  if (config.pids.length > 0) {
    const pids = new Set(config.pids);
    tests.push((process) => pids.has(process.pid));
  }
  if (config.users.length > 0) {
    const ids = new Set(config.users.map((user) => userIdOf(user, context)));
    tests.push((process) => ids.has(process.uid));
  }
  if (config.names.length > 0) {
    const patterns = config.names.map(namePattern);
    tests.push(({ comm, executable }) =>
      patterns.some((pattern) => pattern.test(executable) || pattern.test(comm)),
    );
  }
  if (config.cgroups.length > 0) {
    const prefixes = config.cgroups.map((prefix) => prefix.replace(/\/+$/, ''));
    tests.push((process) => {
      const path = context.cgroupPath(process);
      return (
        path !== undefined &&
        prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))
      );
    });
  }
  if (tests.length === 0) return () => true;
  return (process) => tests.every((test) => test(process));
}

/** Whether `namePattern` takes it; the configuration asks before anything starts. */
export function isNamePattern(text: string): boolean {
  try {
    namePattern(text);
    return true;
  } catch {
    return false;
  }
}

/** `nginx`, `post*`, `python3.?` must fit the whole name; `/^kube(let|-proxy)$/` any part of it. */
export function namePattern(pattern: string): RegExp {
  const regex = /^\/(.+)\/(i?)$/s.exec(pattern);
  if (!regex) {
    const glob = pattern
      .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    return new RegExp(`^${glob}$`, 's');
  }
  try {
    return new RegExp(regex[1] ?? '', regex[2]);
  } catch (cause) {
    throw new MemWatcherError('CONFIG_INVALID', `${pattern} is not a regular expression`, {
      hint: 'names are globs (post*), or regular expressions between slashes (/^post/)',
      cause,
    });
  }
}

function userIdOf(user: string | number, context: FilterContext): number {
  if (typeof user === 'number') return user;
  if (/^\d+$/.test(user)) return Number(user);
  const id = context.userId(user);
  if (id === undefined) {
    throw new MemWatcherError('CONFIG_INVALID', `there is no user ${user} on this host`, {
      hint: 'write the numeric user id',
    });
  }
  return id;
}

/** Looks a name up in the text of /etc/passwd. */
export function passwdUserId(passwd: string, name: string): number | undefined {
  for (const line of passwd.split('\n')) {
    const [user, , id] = line.split(':');
    if (user === name && id !== undefined && /^\d+$/.test(id)) return Number(id);
  }
  return undefined;
}
