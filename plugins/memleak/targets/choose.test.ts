import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Candidate } from './candidate.js';
import { choose, makeRules } from './choose.js';
import { makeTargetsConfig } from './config.js';

type Given = Parameters<typeof makeTargetsConfig>[0]['targets'];

const ID = 'a3bf90e006b2'.repeat(6).slice(0, 64);

function candidate(pid: number, more: Partial<Candidate> & { groups?: string[] } = {}): Candidate {
  const { groups = ['/'], ...rest } = more;
  return {
    pid,
    comm: 'prog',
    ppid: 1,
    kernelThread: false,
    startTicks: pid,
    executable: '/usr/bin/prog',
    cgroups: () => groups,
    ...rest,
  };
}

const rulesOf = (targets: Given) => makeRules(makeTargetsConfig({ targets }).targets);

/** Pids that one entry means. */
function meant(target: NonNullable<Given>[number], candidates: readonly Candidate[]): number[] {
  const { chosen } = choose(candidates, rulesOf([target]), { max: 100 });
  return chosen.map((one) => one.candidate.pid);
}

describe('a target is meant', () => {
  const nginx = candidate(1, { comm: 'nginx', executable: '/usr/sbin/nginx' });
  const renamed = candidate(2, { comm: 'worker 1', executable: '/usr/sbin/nginx' });
  const hidden = candidate(3, { comm: 'nginx', executable: undefined });
  const other = candidate(4);
  const all = [nginx, renamed, hidden, other];

  it('by its executable or command', () => {
    assert.deepEqual(meant({ executable: 'nginx' }, all), [1, 2, 3]);
    assert.deepEqual(meant({ executable: 'work*' }, all), [2]);
    assert.deepEqual(meant({ executable: '/^(prog|x)$/' }, all), [4]);
  });

  it('by the path of its executable', () => {
    assert.deepEqual(meant({ executable: '/usr/sbin/nginx' }, all), [1, 2]);
    assert.deepEqual(meant({ executable: '/usr/*bin/*' }, all), [1, 2, 4]);
  });

  it('by cgroup, container and unit, in whatever hierarchy', () => {
    const groups = [
      candidate(1, { groups: ['/user.slice', '/system.slice/nginx.service'] }),
      candidate(2, { groups: ['/system.slice/nginx.service/child'] }),
      candidate(3, { groups: ['/system.slice/nginx.service-old', '/system.slice2'] }),
      candidate(4, { groups: [`/docker/${ID}`] }),
      candidate(5, { groups: [`/kubepods/pod1/cri-containerd-${ID}.scope/init`] }),
    ];
    assert.deepEqual(meant({ cgroup: '/system.slice/nginx.service' }, groups), [1, 2]);
    assert.deepEqual(meant({ cgroup: '/system.slice/' }, groups), [1, 2, 3]);
    assert.deepEqual(meant({ unit: 'nginx' }, groups), [1, 2]);
    assert.deepEqual(meant({ unit: 'nginx.service' }, groups), [1, 2]);
    assert.deepEqual(meant({ unit: 'user.slice' }, groups), [1]);
    assert.deepEqual(meant({ container: ID.slice(0, 12) }, groups), [4, 5]);
  });
});

describe('of many', () => {
  const herd = [5, 3, 9, 1].map((pid) => candidate(pid));

  it('who began first is chosen first, and who is held keeps its place', () => {
    const rules = rulesOf([{ executable: 'prog' }]);
    const pids = (held: ReadonlySet<string>) =>
      choose(herd, rules, { max: 2, held }).chosen.map((one) => one.candidate.pid);
    assert.deepEqual(pids(new Set()), [1, 3]);
    assert.deepEqual(pids(new Set(['9@9'])), [9, 1]);
    assert.equal(choose(herd, rules, { max: 2 }).omitted, 2);
  });

  it('the configuration’s order goes before age, and its first match counts', () => {
    const rules = rulesOf([{ pid: 9, mmap: true }, { executable: 'prog' }]);
    const { chosen, absent } = choose(herd, rules, { max: 2 });
    assert.deepEqual(
      chosen.map((one) => [one.candidate.pid, one.rule.config.mmap]),
      [
        [9, true],
        [1, false],
      ],
    );
    assert.deepEqual(absent, []);
  });

  it('pids that nobody has are told', () => {
    assert.deepEqual(choose(herd, rulesOf([{ pid: 77 }, { pid: 5 }]), { max: 9 }).absent, [77]);
  });

  it('children have their parent’s rule', () => {
    const rules = rulesOf([{ pid: 77 }]);
    const adopted = new Map([['3@3', rules[0] ?? assert.fail()]]);
    const { chosen } = choose(herd, rules, { max: 9, adopted });
    assert.deepEqual(
      chosen.map((one) => one.candidate.pid),
      [3],
    );
  });

  it('threads of the kernel are for who asks by number', () => {
    const threads = [candidate(2, { kernelThread: true, executable: undefined })];
    assert.deepEqual(meant({ executable: '*' }, threads), []);
    assert.deepEqual(meant({ pid: 2 }, threads), [2]);
  });
});

describe('the configuration', () => {
  it('takes one selector a target', () => {
    assert.throws(() => rulesOf([{ mmap: true }]), /exactly one of pid, executable/);
    assert.throws(() => rulesOf([{ pid: 1, unit: 'a' }]), /exactly one/);
    assert.throws(() => rulesOf([{ executable: '/(/' }]), /not a regular expression/);
    assert.throws(() => rulesOf([{ container: 'nginx' }]), /not the id of a container/);
  });

  it('takes sampling as a size', () => {
    assert.equal(makeTargetsConfig({ sampling: '512KiB' }).sampling, 524_288);
    assert.equal(makeTargetsConfig({}).sampling, 'full');
    assert.throws(() => makeTargetsConfig({ sampling: 'half' }));
  });
});
