import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CgroupMount } from './cgroup-mount.js';
import { type CgroupFiles, CgroupTree } from './cgroup-tree.js';

const UNIFIED: CgroupMount = { controller: undefined, root: '/', point: '/cg' };

/** Folders in memory; an inode each. Looking at one takes `cost` ms. */
class FakeFiles implements CgroupFiles {
  readonly inodes = new Map<string, bigint>();
  now = 0;
  looks = 0;
  constructor(
    readonly all: readonly CgroupMount[] = [UNIFIED],
    readonly cost = 1,
  ) {}
  mounts() {
    return this.all;
  }
  folders(folder: string) {
    const names = [...this.inodes.keys()].filter((path) => path.startsWith(`${folder}/`));
    return names.map((path) => path.slice(folder.length + 1)).filter((rest) => !rest.includes('/'));
  }
  inode(folder: string) {
    this.now += this.cost;
    this.looks++;
    return this.inodes.get(folder);
  }
  clock() {
    return this.now;
  }
}

const tree = (files: FakeFiles, limits = { entries: 100, ms: 1000 }) =>
  new CgroupTree(undefined, files, limits);

function filled(paths: Record<string, number | bigint>, ...rest: [CgroupMount[]?, number?]) {
  const files = new FakeFiles(...rest);
  for (const [path, inode] of Object.entries(paths)) files.inodes.set(path, BigInt(inode));
  return files;
}

describe('CgroupTree', () => {
  it('finds a cgroup by the inode of its folder, and learns the others on the way', () => {
    const files = filled({ '/cg': 1, '/cg/a': 10, '/cg/a/b': 11, '/cg/c': 12 });
    const cgroups = tree(files);
    assert.equal(cgroups.find(11), '/a/b');
    const { looks } = files;
    assert.equal(cgroups.find(12), '/c');
    assert.equal(cgroups.find(1), '/');
    assert.equal(files.looks, looks);
  });

  it('tells ids of more than 32 bits apart', () => {
    const files = filled({ '/cg': 1, '/cg/a': 0x1_0000_0001n, '/cg/b': 0x2_0000_0001n });
    assert.equal(tree(files).find(0x2_0000_0001), '/b');
  });

  it('remembers what a removed one was called', () => {
    const files = filled({ '/cg': 1, '/cg/a': 10 });
    const cgroups = tree(files);
    assert.equal(cgroups.find(10), '/a');
    files.inodes.delete('/cg/a');
    files.now += 10_000;
    assert.equal(cgroups.find(99), undefined);
    assert.equal(cgroups.find(10), '/a');
  });

  it('does not search again for what a whole walk has not shown', () => {
    const files = filled({ '/cg': 1 });
    const cgroups = tree(files);
    assert.equal(cgroups.find(10), undefined);
    const { looks } = files;
    files.now += 10_000;
    assert.equal(cgroups.find(10), undefined);
    assert.equal(files.looks, looks);
  });

  it('sees new cgroups, but spends no more than a fiftieth of its time on walks', () => {
    const files = filled({ '/cg': 1, '/cg/a': 10 });
    const cgroups = tree(files);
    cgroups.find(10);
    files.inodes.set('/cg/new', 20n);
    assert.equal(cgroups.find(20), undefined, 'the walk took 2 ms');
    files.now += 98;
    assert.equal(cgroups.find(20), undefined);
    files.now += 2;
    assert.equal(cgroups.find(20), '/new');
  });

  it('stops at its bounds, says so, and does not take the rest for absent', () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`/cg/${i}`, 100 + i]));
    for (const limits of [
      { entries: 10, ms: 1000 },
      { entries: 100, ms: 10 },
    ]) {
      const files = filled({ '/cg': 1, ...many });
      const cgroups = tree(files, limits);
      assert.equal(cgroups.find(149), undefined);
      assert(cgroups.cutShort);
      assert.equal(cgroups.find(101), '/1');
      const { looks } = files;
      files.now += 10_000;
      cgroups.find(149);
      assert(files.looks > looks);
    }
  });

  it('knows only its own hierarchy, and walks what is mounted twice once', () => {
    const memory: CgroupMount = { controller: 'memory', root: '/', point: '/v1' };
    const part: CgroupMount = { controller: undefined, root: '/a', point: '/elsewhere' };
    const files = filled({ '/cg': 1, '/cg/a': 10, '/elsewhere': 10, '/v1': 1, '/v1/a': 30 }, [
      part,
      memory,
      UNIFIED,
    ]);
    const cgroups = tree(files);
    assert.equal(cgroups.find(10), '/a');
    assert.equal(cgroups.find(30), undefined);
    assert.equal(files.looks, 2);
    assert.equal(new CgroupTree('memory', files).find(30), '/a');
  });

  it('writes paths as seen from the root, where only a part is mounted', () => {
    const part: CgroupMount = { controller: undefined, root: '/docker/x', point: '/cg' };
    const cgroups = tree(filled({ '/cg': 5, '/cg/init': 6 }, [part]));
    assert.equal(cgroups.find(6), '/docker/x/init');
    assert.equal(cgroups.confirms('/docker/x', 5), true);
    assert.equal(cgroups.confirms('/docker/x', 6), false);
    assert.equal(cgroups.confirms('/docker/y', 5), undefined);
  });

  it('finds nothing where nothing is mounted', () => {
    assert.equal(tree(new FakeFiles([])).find(1), undefined);
  });
});
