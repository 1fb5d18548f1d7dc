/**
 * Which processes exist for a plugin at all: the keys of its configuration, the same in every
 * plugin that sees processes, and the test that follows from them.
 */
import * as z from 'zod';
import { MemWatcherError } from '../errors.js';
import type { CgroupIdentity } from './cgroup-paths.js';

/** For configurations. The kernel knows the names that LXC gives, but not those of Docker. */
export const containerName = z
  .string()
  .regex(
    /^(?:[0-9a-f]{12,64}|name:[^/]{1,253})$/,
    'is not the id of a container, or its first 12 digits, or name:NAME of LXC or systemd-nspawn',
  );

/** Whether `name`, as configured, means this container. */
export const isContainer = (containerId: string | undefined, name: string): boolean =>
  containerId !== undefined &&
  (name.startsWith('name:') ? name === `name:${containerId}` : containerId.startsWith(name));

/** For a plugin's `config`; an empty list does not filter. */
export const filterConfig = {
  pids: z.array(z.int().min(1)).default([]).describe('only these processes'),
  names: z
    .array(z.string().min(1).refine(isNamePattern, 'is not a regular expression'))
    .default([])
    .describe('only names that fit: post*, or a regular expression as /^post/'),
  cgroups: z
    .array(z.string().startsWith('/'))
    .default([])
    .describe('only processes in these cgroups or below: /system.slice'),
  containers: z
    .array(containerName)
    .default([])
    .describe(
      'only processes in these containers, by id, its first digits (12 or more) or name:NAME',
    ),
};

/** For plugins that know the user as well. */
export const userFilterConfig = {
  users: z
    .array(z.union([z.string().min(1), z.int().min(0)]))
    .default([])
    .describe('only processes of these users, by name or number'),
};

export interface FilterConfig {
  readonly pids: readonly number[];
  readonly names: readonly string[];
  readonly cgroups: readonly string[];
  readonly containers: readonly string[];
  readonly users?: readonly (string | number)[];
}

/** What is asked of a process, or of what stands for one. */
export interface FilterSubject {
  readonly pid: number;
  readonly comm: string;
  readonly executable?: string | undefined;
  /** Real user id; without it no list of users is passed. */
  readonly uid?: number;
}

export interface FilterContext<S> {
  /** Where the subject is; undefined where that is unknown. */
  readonly cgroup: (subject: S) => Pick<CgroupIdentity, 'path' | 'containerId'> | undefined;
  /** User id of a name; undefined if there is no such user. */
  readonly userId?: (name: string) => number | undefined;
}

export type Filter<S> = (subject: S) => boolean;

/**
 * A subject passes when it passes every list that is not empty, and it passes a list when one of
 * its entries fits. CONFIG_INVALID for a pattern or user that cannot be.
 */
export function makeFilter<S extends FilterSubject>(
  config: FilterConfig,
  context: FilterContext<S>,
): Filter<S> {
  const tests = [
    ...testOf(config.pids, pidTest),
    ...testOf(config.users ?? [], (users) => userTest(users, context.userId)),
    ...testOf(config.names, nameTest),
    ...testOf(config.cgroups, (prefixes) => cgroupTest(prefixes, context.cgroup)),
    ...testOf(config.containers, (ids) => containerTest(ids, context.cgroup)),
  ];
  if (tests.length === 0) return () => true;
  return (subject) => tests.every((test) => test(subject));
}

function testOf<T, S>(
  list: readonly T[],
  make: (list: readonly T[]) => Filter<S>,
): readonly Filter<S>[] {
  return list.length > 0 ? [make(list)] : [];
}

function pidTest(list: readonly number[]): Filter<FilterSubject> {
  const pids = new Set(list);
  return ({ pid }) => pids.has(pid);
}

function userTest(
  users: readonly (string | number)[],
  userId: FilterContext<FilterSubject>['userId'],
): Filter<FilterSubject> {
  const ids = new Set(users.map((user) => userIdOf(user, userId)));
  return ({ uid }) => uid !== undefined && ids.has(uid);
}

function nameTest(names: readonly string[]): Filter<FilterSubject> {
  const patterns = names.map(namePattern);
  return ({ comm, executable }) =>
    patterns.some(
      (pattern) => (executable !== undefined && pattern.test(executable)) || pattern.test(comm),
    );
}

function cgroupTest<S>(list: readonly string[], cgroup: FilterContext<S>['cgroup']): Filter<S> {
  const prefixes = list.map((prefix) => prefix.replace(/\/+$/, ''));
  return (subject) => {
    const path = cgroup(subject)?.path;
    return (
      path !== undefined &&
      prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))
    );
  };
}

function containerTest<S>(ids: readonly string[], cgroup: FilterContext<S>['cgroup']): Filter<S> {
  return (subject) => {
    const container = cgroup(subject)?.containerId;
    return ids.some((id) => isContainer(container, id));
  };
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

function userIdOf(
  user: string | number,
  userId: FilterContext<FilterSubject>['userId'] = () => undefined,
): number {
  if (typeof user === 'number') return user;
  if (/^\d+$/.test(user)) return Number(user);
  const id = userId(user);
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
