import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as z from 'zod';
import {
  type FilterConfig,
  type FilterSubject,
  filterConfig,
  isContainer,
  makeFilter,
  namePattern,
  passwdUserId,
} from './filter.js';

const subject: FilterSubject = {
  pid: 42,
  uid: 33,
  comm: 'php-fpm: www',
  executable: 'php-fpm8.2',
};
const CONTAINER = '0123456789abcdef'.repeat(4);
const none: FilterConfig = { pids: [], names: [], users: [], cgroups: [], containers: [] };

const passes = (config: Partial<FilterConfig>) =>
  makeFilter<FilterSubject>(
    { ...none, ...config },
    {
      cgroup: () => ({ path: '/system.slice/php', containerId: CONTAINER }),
      userId: (name) => passwdUserId('root:x:0:0::/:/bin/sh\nwww-data:x:33:33::/:\n', name),
    },
  )(subject);

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
  ['container', { containers: [CONTAINER] }, true],
  ['container by its first digits', { containers: ['0123456789ab'] }, true],
  ['another container', { containers: ['0123456789ac', 'f'.repeat(64)] }, false],
  ['one of two containers', { containers: ['f'.repeat(64), CONTAINER.slice(0, 20)] }, true],
  ['all that is asked', { pids: [42], users: [0] }, false],
];

describe('makeFilter', () => {
  for (const [what, config, expected] of TABLE) {
    it(what, () => assert.equal(passes(config), expected));
  }

  it('does not pass what is asked for and unknown', () => {
    for (const config of [{ cgroups: ['/'] }, { containers: [CONTAINER] }]) {
      const filter = makeFilter({ ...none, ...config }, { cgroup: () => undefined });
      assert.equal(filter(subject), false);
    }
    const { comm, pid } = subject;
    const filter = (config: Partial<FilterConfig>) =>
      makeFilter<FilterSubject>({ ...none, ...config }, { cgroup: () => undefined });
    assert.equal(filter({ users: [0] })({ pid, comm }), false);
    assert.equal(filter({ names: ['php-fpm8.2'] })({ pid, comm }), false);
    assert.equal(filter({ names: ['php-fpm: www'] })({ pid, comm }), true);
  });

  it('refuses users and patterns that cannot be', () => {
    assert.throws(() => passes({ users: ['nobody-here'] }), /no user nobody-here/);
    assert.throws(() => namePattern('/(/'), /not a regular expression/);
  });

  it('has patterns that cannot be refused with the configuration', () => {
    const check = (names: string[]) => z.object(filterConfig).safeParse({ names });
    assert(check(['post*', '/^post/i', '[', '(']).success);
    const { error } = check(['post*', '/(/']);
    assert.deepEqual(
      error?.issues.map(({ path, message }) => [path, message]),
      [[['names', 1], 'is not a regular expression']],
    );
  });

  it('takes ids of containers that are long enough to mean one', () => {
    const check = (id: string) => z.object(filterConfig).safeParse({ containers: [id] }).success;
    assert(check(CONTAINER) && check(CONTAINER.slice(0, 12)) && check('name:web-1'));
    for (const id of [
      '',
      CONTAINER.slice(0, 11),
      `${CONTAINER}0`,
      'my-container',
      '0123456789AB',
    ]) {
      assert(!check(id), id);
    }
  });
});

describe('isContainer', () => {
  it('goes by the beginning of an id, and by a whole name', () => {
    const cases: [string | undefined, string, boolean][] = [
      [CONTAINER, CONTAINER.slice(0, 12), true],
      [CONTAINER, `name:${CONTAINER.slice(0, 12)}`, false],
      ['web-1', 'name:web-1', true],
      ['web-1', 'name:web', false],
      [undefined, 'name:web', false],
      [undefined, CONTAINER, false],
    ];
    for (const [id, name, is] of cases) assert.equal(isContainer(id, name), is, `${id} ${name}`);
  });
});
