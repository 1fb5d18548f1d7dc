import assert from 'node:assert/strict';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { workshop } from '../../test/fakes/compiled.js';
import { isJit, JitNames } from './jit-names.js';
import { PerfMap } from './perf-map.js';
import type { MappedModule, ProcessMap } from './symbolizer.js';

const folder = workshop(after);

async function refresh(map: PerfMap, file: string): Promise<void> {
  const fd = openSync(file, 'r');
  try {
    await map.refresh(fd, statSync(file).size);
  } finally {
    closeSync(fd);
  }
}

describe('a JIT map', () => {
  const file = join(folder, 'map');

  it('names what it tells of, and no more', async () => {
    writeFileSync(
      file,
      '1000 10 first\n0x2000 0x20 LazyCompile:~run /a b.js:1\nnonsense\n3000 zz bad\n1008 8 inner\nffff 1 last',
    );
    const map = new PerfMap();
    await refresh(map, file);
    const names = [
      0xfffn,
      0x1000n,
      0x1007n,
      0x1008n,
      0x100fn,
      0x1010n,
      0x201fn,
      0x3000n,
      0xffffn,
    ].map((address) => map.find(address)?.name);
    const run = 'LazyCompile:~run /a b.js:1';
    assert.deepEqual(names, [
      undefined,
      'first',
      'first',
      'inner',
      'inner',
      undefined,
      run,
      undefined,
      undefined,
    ]);
  });

  it('is read as the JDK writes it', async () => {
    const jdk = join(folder, 'jdk');
    writeFileSync(jdk, '0x00007f86b04d0880 0x0000000000000360 void L.leakInflater()\n');
    const map = new PerfMap();
    await refresh(map, jdk);
    assert.equal(map.find(0x7f86b04d08a0n)?.name, 'void L.leakInflater()');
  });

  it('is read on where it grew, and the later of two is believed', async () => {
    const map = new PerfMap();
    await refresh(map, file);
    appendFileSync(file, '\n1000 10 second\n');
    await refresh(map, file);
    assert.equal(map.find(0x1001n)?.name, 'second');
    assert.equal(map.find(0xffffn)?.name, 'last');
    assert.equal(map.find(0x1001n)?.start, 0x1000n);
  });

  it('that became shorter is read again', async () => {
    const map = new PerfMap();
    await refresh(map, file);
    writeFileSync(file, '9000 1 other\n');
    await refresh(map, file);
    assert.equal(map.find(0x1001n), undefined);
    assert.equal(map.find(0x9000n)?.name, 'other');
  });

  it('that is too long is read as far as that goes', async () => {
    const long = join(folder, 'long');
    const line = (n: number) => `${(n * 16).toString(16)} 10 function${n}\n`;
    writeFileSync(
      long,
      Array.from({ length: 10_000 }, (_, n) => line(n)).join('') + 'x'.repeat(40 << 20),
    );
    const map = new PerfMap();
    await refresh(map, long);
    assert.equal(map.cut, true);
    assert.equal(map.find(16n * 9_999n)?.name, 'function9999');
  });
});

describe('whose JIT map it is', () => {
  const proc = join(folder, 'proc');
  const place = (pid: number) => {
    const at = join(proc, String(pid), 'root/tmp');
    mkdirSync(at, { recursive: true });
    return at;
  };
  const mapOf = (pid: number, user: number, startTicks = 1): ProcessMap => ({
    pid,
    startTicks,
    innerPid: 7,
    user,
    cut: false,
    modules: [],
    find: () => undefined,
  });
  const me = process.geteuid?.() ?? 0;

  it('the process’s own, by its inner pid', async () => {
    writeFileSync(join(place(70001), 'perf-7.map'), '1000 10 mine\n');
    const found = await new JitNames(proc).find(mapOf(70001, me), [0x1001n]);
    assert.equal(found.get(0x1001n)?.name, 'mine');
  });

  it('not that of who had its pid before', async () => {
    const file = join(place(70004), 'perf-7.map');
    writeFileSync(file, '1000 10 before\n');
    const names = new JitNames(proc);
    assert.equal((await names.find(mapOf(70004, me), [0x1001n])).get(0x1001n)?.name, 'before');
    rmSync(file);
    assert.equal((await names.find(mapOf(70004, me), [0x1001n])).size, 1, 'it has only gone');
    assert.equal((await names.find(mapOf(70004, me, 2), [0x1001n])).size, 0);
  });

  it('no longer the file that was there before', async () => {
    const file = join(place(70005), 'perf-7.map');
    writeFileSync(file, '1000 10 before\n');
    const names = new JitNames(proc);
    await names.find(mapOf(70005, me), [0x1001n]);
    writeFileSync(`${file}.new`, '2000 10 a longer one that took its place\n');
    renameSync(`${file}.new`, file);
    const found = await names.find(mapOf(70005, me), [0x1001n, 0x2001n]);
    assert.deepEqual([...found.keys()], [0x2001n]);
  });

  it('none that another user wrote', async () => {
    writeFileSync(join(place(70002), 'perf-7.map'), '1000 10 mine\n');
    const found = await new JitNames(proc).find(mapOf(70002, me + 1), [0x1001n]);
    assert.equal(found.size, 0);
  });

  it('none that is a link', async () => {
    writeFileSync(join(folder, 'elsewhere'), '1000 10 secret\n');
    symlinkSync(join(folder, 'elsewhere'), join(place(70003), 'perf-7.map'));
    const found = await new JitNames(proc).find(mapOf(70003, me), [0x1001n]);
    assert.equal(found.size, 0);
  });

  it('code of a JIT is in memory without a file', () => {
    const module = (path: string, inode = 0, deleted = false): MappedModule => ({
      start: 0n,
      end: 1n,
      fileOffset: 0n,
      path,
      deleted,
      device: '00:00',
      inode,
    });
    const jit = [
      module(''),
      module('[anon:v8]'),
      module('/memfd:doublemapper', 5, true),
      module('/dev/zero', 5, true),
    ];
    const others = [
      module('[vdso]'),
      module('[stack]'),
      module('/usr/lib/x.so', 9),
      module('/usr/lib/x.so', 9, true),
    ];
    assert.deepEqual(
      jit.map(isJit),
      jit.map(() => true),
    );
    assert.deepEqual(
      others.map(isJit),
      others.map(() => false),
    );
  });
});
