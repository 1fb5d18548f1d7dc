/**
 * The options of a plugin's subcommand that choose processes, over the keys of
 * `core/identity/filter.ts`; the same in every plugin that sees processes.
 */
import { MemWatcherError } from '../errors.js';
import type { ViewOption } from './view.js';

export const filterOptions: readonly ViewOption[] = [
  {
    flags: '--pid <pid...>',
    description: 'only these processes',
    config: (value) => ({
      pids: listOf(value)
        .flatMap((item) => item.split(','))
        .map((pid) => wholeNumber('--pid', pid, 1)),
    }),
  },
  {
    flags: '--name <pattern...>',
    description: 'only names that fit: post*, or /^post/',
    config: (value) => ({ names: listOf(value) }),
  },
  {
    flags: '--cgroup <path...>',
    description: 'only processes in these cgroups or below',
    config: (value) => ({ cgroups: listOf(value) }),
  },
  {
    flags: '--container <id...>',
    description:
      'only processes in these containers, by id, its first 12 digits or more, or name:NAME',
    config: (value) => ({ containers: listOf(value).flatMap((item) => item.split(',')) }),
  },
];

/** For plugins that know the user as well. */
export const userFilterOption: ViewOption = {
  flags: '--user <user...>',
  description: 'only processes of these users, by name or number',
  config: (value) => ({ users: listOf(value) }),
};

/** What an option that may be given several times holds. */
export const listOf = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).map(String);

/** USAGE if it is none, or less than `min`. */
export function wholeNumber(flag: string, text: string, min: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min) return value;
  throw new MemWatcherError('USAGE', `${flag} ${text}: write a whole number from ${min} up`);
}
