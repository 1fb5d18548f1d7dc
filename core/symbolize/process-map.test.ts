import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { workshop } from '../../test/fakes/compiled.js';
import { random } from '../../test/fuzz/random.js';
import { ModuleFiles } from './module-files.js';
import { parseMaps, readProcessMap } from './process-map.js';

const folder = workshop(after);

describe('a line of /proc/PID/maps', () => {
  const one = (line: string) => {
    const [module] = parseMaps(`${line}\n`);
    return module && { path: module.path, deleted: module.deleted, inode: module.inode };
  };
  const HEAD = '7f0000001000-7f0000002000 r-xp 00001000 fe:00 42';

  const LINES: Readonly<Record<string, readonly [string, boolean]>> = {
    '                   /usr/lib/libc.so.6': ['/usr/lib/libc.so.6', false],
    ' /tmp/with blank': ['/tmp/with blank', false],
    ' /tmp/two\\012lines': ['/tmp/two\nlines', false],
    ' /tmp/back\\slash': ['/tmp/back\\slash', false],
    ' /tmp/gone (deleted)': ['/tmp/gone', true],
    ' /memfd:jit (deleted)': ['/memfd:jit', true],
    ' [vdso]': ['[vdso]', false],
    '': ['', false],
    ' ': ['', false],
  };
  for (const [rest, [path, deleted]] of Object.entries(LINES)) {
    it(JSON.stringify(rest), () => {
      assert.deepEqual(one(HEAD + rest), { path, deleted, inode: 42 });
    });
  }

  it('that is not executable is left out', () => {
    assert.equal(one(HEAD.replace('r-xp', 'rw-p')), undefined);
    assert.deepEqual(one(HEAD.replace('r-xp', '--xp')), { path: '', deleted: false, inode: 42 });
  });

  it('has all numbers', () => {
    const [module] = parseMaps(`${HEAD} /x`);
    assert.equal(module?.start, 0x7f0000001000n);
    assert.equal(module?.end, 0x7f0000002000n);
    assert.equal(module?.fileOffset, 0x1000n);
    assert.equal(module?.device, 'fe:00');
  });

  it('that makes no sense is left out', () => {
    for (let seed = 0; seed < 500; seed++) {
      const next = random(seed);
      const text = Buffer.from(`${HEAD} /x\n`);
      for (let n = 0; n < 4; n++) text[next(text.length)] = next(256);
      for (const { start, end } of parseMaps(text.toString('latin1'))) {
        assert.ok(start >= 0n && end >= 0n);
      }
    }
  });
});

describe('the map of a process', () => {
  it('is what the kernel shows, and an address is found in it', () => {
    const map = readProcessMap(process.pid);
    const lines = readFileSync('/proc/self/maps', 'utf8')
      .split('\n')
      .filter((line) => /^\S+ ..x/.test(line) && line.includes('/'));
    assert.ok(lines.length > 3);
    for (const line of lines) {
      const [range = '', , , , inode, path] = line.split(/\s+/);
      const [start, end] = range.split('-').map((hex) => BigInt(`0x${hex}`));
      assert.ok(start !== undefined && end !== undefined);
      for (const address of [start, end - 1n]) {
        const module = map.find(address);
        assert.equal(module?.path, path);
        assert.equal(module?.inode, Number(inode));
      }
      assert.notEqual(map.find(end)?.start, start);
    }
    assert.equal(map.user, process.geteuid?.());
    assert.equal(map.cut, false);
    assert.equal(map.find(0n), undefined);
  });

  it('of a pid in a namespace has the inner one, and when it began', () => {
    const proc = join(folder, 'proc');
    mkdirSync(join(proc, '77'), { recursive: true });
    writeFileSync(join(proc, '77/maps'), '');
    writeFileSync(
      join(proc, '77/status'),
      'Name:\tx\nPid:\t77\nUid:\t0\t1000\t0\t0\nNSpid:\t77\t12\t3\n',
    );
    writeFileSync(join(proc, '77/stat'), `77 (a) b) S ${'0 '.repeat(18)}4711 0\n`);
    const map = readProcessMap(77, { proc });
    assert.equal(map.startTicks, 4711);
    assert.equal(map.innerPid, 3);
    assert.equal(map.user, 1000);
  });

  it('that is too long is cut at a line, and says so', () => {
    const proc = join(folder, 'long');
    mkdirSync(join(proc, '77'), { recursive: true });
    const line = (n: number) =>
      `${(n * 0x1000).toString(16).padStart(12, '0')}-${((n + 1) * 0x1000).toString(16).padStart(12, '0')} r-xp 00000000 00:00 0 \n`;
    const count = 200_000;
    writeFileSync(join(proc, '77/maps'), Array.from({ length: count }, (_, n) => line(n)).join(''));
    const map = readProcessMap(77, { proc });
    assert.equal(map.cut, true);
    assert.ok(map.modules.length > 100_000 && map.modules.length < count);
    for (const { start, end } of map.modules) assert.equal(end - start, 0x1000n);
  });
});

describe('files that are held', () => {
  it('are as many as the limit, and closed', () => {
    const files = new ModuleFiles({ limit: 2 });
    readProcessMap(process.pid, { files });
    assert.equal(files.count, 2);
    files.close();
    assert.equal(files.count, 0);
    readProcessMap(process.pid, { files });
    assert.equal(files.count, 0);
  });
});
