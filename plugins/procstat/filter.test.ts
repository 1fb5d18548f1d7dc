import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type FilterConfig, makeFilter, namePattern, passwdUserId } from './filter.js';
import { metadata } from './metadata.js';
import { sample } from './sample.js';

const process = sample({ pid: 42, uid: 33, comm: 'php-fpm: www', executable: 'php-fpm8.2' });

const passes = (config: Partial<FilterConfig>, path: string | undefined = '/system.slice/php') =>
  makeFilter(
    { pids: [], names: [], users: [], cgroups: [], ...config },
    {
      cgroupPath: () => path,
      userId: (name) => passwdUserId('root:x:0:0::/:/bin/sh\nwww-data:x:33:33::/:\n', name),
    },
  )(process);

const TABLE: readonly (readonly [string, Partial<FilterConfig>, boolean])[] = [
  ['nothing', {}, true],
  ['pid', { pids: [1, 42] }, true],
  ['another pid', { pids: [1] }, false],
  ['executable', { names: ['php-fpm8.2'] }, true],
  ['comm', { names: ['php-fpm: www'] }, true],
  ['glob', { names: ['php*'] }, true],
  ['glob of one character', { names: ['php-fpm8.?'] }, true],
  ['a dot is a dot', { names: ['php-fpm8x2'] }, false],
  ['a part is not the whole', { names: ['php'] }, false],
  ['regular expression', { names: ['/fpm\\d/'] }, true],
  ['regular expression, any case', { names: ['/^PHP/i'] }, true],
  ['regular expression that does not fit', { names: ['/^fpm/'] }, false],
  ['user by name', { users: ['www-data'] }, true],
  ['user by number', { users: [33] }, true],
  ['user by number as text', { users: ['33'] }, true],
  ['another user', { users: ['root'] }, false],
  ['cgroup', { cgroups: ['/system.slice'] }, true],
  ['cgroup with a slash', { cgroups: ['/system.slice/'] }, true],
  ['the root cgroup', { cgroups: ['/'] }, true],
  ['the beginning of a name', { cgroups: ['/system'] }, false],
  ['all that is asked', { pids: [42], users: [0] }, false],
];

describe('makeFilter', () => {
  for (const [what, config, expected] of TABLE) {
    it(what, () => assert.equal(passes(config), expected));
  }

  it('does not pass a process of unknown cgroup', () => {
    const config = { pids: [], names: [], users: [], cgroups: ['/'] };
    const filter = makeFilter(config, { cgroupPath: () => undefined, userId: () => undefined });
    assert.equal(filter(process), false);
  });

  it('refuses users and patterns that cannot be', () => {
    assert.throws(() => passes({ users: ['nobody-here'] }), /no user nobody-here/);
    assert.throws(() => namePattern('/(/'), /not a regular expression/);
  });

  it('has patterns that cannot be refused with the configuration', () => {
    const check = (names: string[]) => metadata.config.safeParse({ names });
    assert(check(['post*', '/^post/i', '[', '(']).success);
    const { error } = check(['post*', '/(/']);
    assert.deepEqual(
      error?.issues.map(({ path, message }) => [path, message]),
      [[['names', 1], 'is not a regular expression']],
    );
  });
});
