import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { it } from 'node:test';
import { MemoryCgroup } from '../../test/fakes/memory-cgroup.js';
import { pressureMissing, ROOT } from '../../test/fakes/pressure.js';
import { cgroupNamespace } from './cgroup-namespace.js';

const HOST = 4_026_531_835;
const mount = (root: string) => () => [{ controller: undefined, root, point: '/sys/fs/cgroup' }];

it('tells the host’s cgroup namespace by its inode', () => {
  assert.equal(
    cgroupNamespace(() => HOST, mount('/')),
    'host',
  );
  assert.equal(
    cgroupNamespace(() => HOST + 1, mount('/')),
    'private',
  );
});

it('sees that the host’s cgroups are mounted in a private namespace', () => {
  assert.equal(
    cgroupNamespace(() => HOST + 1, mount('/..')),
    'private, host mounted',
  );
  assert.equal(
    cgroupNamespace(() => HOST + 1, mount('/../..')),
    'private, host mounted',
  );
  assert.equal(
    cgroupNamespace(() => HOST + 1, mount('/../sibling')),
    'private',
  );
});

it('does not guess where the kernel has no cgroup namespaces', () => {
  assert.equal(
    cgroupNamespace(() => undefined, mount('/')),
    undefined,
  );
});

const skip = pressureMissing() ?? MemoryCgroup.missing() ?? false;

for (const [way, expected] of [
  ['host-mount', 'private, host mounted'],
  ['own-mount', 'private'],
] as const) {
  it(`is ${expected} in a real namespace with ${way}`, { skip }, () => {
    const group = MemoryCgroup.make({ path: `mem-watcher-${process.pid}/namespace` });
    const [point, type] =
      group.version === 1 ? ['/sys/fs/cgroup/memory', 'cgroup'] : ['/sys/fs/cgroup', 'cgroup2'];
    const module = JSON.stringify(new URL('./cgroup-namespace.js', import.meta.url).href);
    const script = `console.log((await import(${module})).cgroupNamespace())`;
    const args = [way, point, type, process.execPath, '--input-type=module', '-e', script];
    try {
      const program = `${ROOT}/dist/test/fakes/cgroup-namespace`;
      const said = execFileSync(program, [`${group.dir}/cgroup.procs`, ...args]);
      assert.equal(said.toString().trim(), expected);
    } finally {
      group.remove();
    }
  });
}
