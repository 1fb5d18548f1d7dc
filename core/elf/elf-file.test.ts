/** What files say of themselves, against readelf and against what is known of them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { code } from '../../test/fakes/error-code.js';
import { ElfFile } from './elf-file.js';
import { hasObjdump, LIBRARIES } from './testing/objdump.js';

const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-elf-'));
after(() => rmSync(folder, { recursive: true }));

const libraries = LIBRARIES.filter((path) => existsSync(path));
const readelf = (...args: string[]) =>
  execFileSync('readelf', ['--wide', ...args], { maxBuffer: 64 << 20 }).toString();

function has(command: string): boolean {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Compiles; undefined where there is no compiler. */
function built(name: string, source: string, ...flags: string[]): string {
  const path = join(folder, name);
  writeFileSync(`${path}.c`, source);
  execFileSync('cc', ['-O1', '-o', path, `${path}.c`, ...flags], { stdio: 'pipe' });
  return path;
}

const noCompiler = has('cc') ? false : 'needs a C compiler';
const skip = hasObjdump ? false : 'needs binutils';

for (const path of libraries) {
  describe(path, { skip }, () => {
    const elf = ElfFile.open(path);
    after(() => elf.close());

    test('is what readelf says', () => {
      const header = readelf('-h', path);
      assert.match(header, /Type:\s+DYN/);
      assert.equal(elf.type, 'shared');
      assert.equal(elf.machine, 'x86_64');
      assert.equal(elf.isStatic, false);
      assert.equal(elf.isGo, false);
      assert.equal(elf.buildId, /Build ID: ([0-9a-f]+)/.exec(readelf('-n', path))?.[1]);
      const program = readelf('-l', path);
      assert.equal(elf.interpreter, /interpreter: ([^\]]+)\]/.exec(program)?.[1]);
    });

    test('has the functions that readelf lists, each once and at its place', () => {
      /** By address: all names. */
      const expected = new Map<number, Set<string>>();
      const sizes = new Map<number, number>();
      for (const line of readelf('--dyn-syms', path).split('\n')) {
        const [, value = '', size = '', type, , , section, name = ''] = line.trim().split(/\s+/);
        if (type !== 'FUNC' || section === 'UND') continue;
        const address = Number.parseInt(value, 16);
        const names = expected.get(address) ?? new Set();
        expected.set(address, names.add(name.replace(/@.*/, '')));
        sizes.set(address, Math.max(sizes.get(address) ?? 0, Number(size)));
      }
      const found = elf.functions(/./);
      assert.ok(found.length > 20);
      assert.equal(elf.omittedSymbols, 0);
      assert.deepEqual(
        found.map(({ address, names }) => [address, names]),
        [...expected].sort(([a], [b]) => a - b).map(([at, names]) => [at, [...names].sort()]),
      );
      for (const { address, size, offset, isLocal } of found) {
        assert.equal(size, sizes.get(address));
        assert.equal(offset, elf.offsetOf(address));
        assert.equal(elf.addressOf(offset), address);
        assert.equal(isLocal, false);
      }
    });

    test('by name as by pattern', () => {
      const names = ['malloc', 'free', 'no such function', '', 'mallo', 'alloc'];
      const byName = elf.functions(names);
      const byPattern = elf.functions(/^(malloc|free)$/);
      assert.deepEqual(
        byName.map(({ address }) => address),
        byPattern.map(({ address }) => address),
      );
    });
  });
}

describe('what is chosen when the program starts', { skip: noCompiler }, () => {
  const source = `
    static int one(void) { return 1; }
    static int (*choose(void))(void) { return one; }
    int chosen(void) __attribute__((ifunc("choose")));
    int plain(void) { return 2; }
    int alias(void) __attribute__((alias("plain")));
    __attribute__((noinline, used)) static int hidden(void) { return 3; }
    int main(void) { return chosen() + plain() + hidden(); }`;
  test('is not found; an alias is the same function; the local one is said to be so', () => {
    const elf = ElfFile.open(built('chosen', source));
    const found = elf.functions(['chosen', 'plain', 'alias', 'hidden']);
    elf.close();
    assert.deepEqual(
      found.map(({ names, isLocal }) => [names, isLocal]).sort(),
      [
        [['alias', 'plain'], false],
        [['hidden'], true],
      ].sort(),
    );
  });
});

describe('programs', { skip: noCompiler }, () => {
  const source = 'int f(void) { return 1; } int main(void) { return f(); }';
  const cases = [
    { name: 'pie', flags: ['-pie', '-fPIE'], type: 'shared', isStatic: false },
    { name: 'no-pie', flags: ['-no-pie'], type: 'executable', isStatic: false },
    { name: 'static', flags: ['-static', '-no-pie'], type: 'executable', isStatic: true },
    { name: 'static-pie', flags: ['-static-pie', '-fPIE'], type: 'shared', isStatic: true },
    { name: 'library', flags: ['-shared', '-fPIC'], type: 'shared', isStatic: false },
  ] as const;
  for (const { name, flags, type, isStatic } of cases) {
    test(name, () => {
      const path = built(name, source, ...flags, '-Wl,--build-id=0x0123456789abcdef');
      const elf = ElfFile.open(path);
      assert.equal(elf.type, type);
      assert.equal(elf.isStatic, isStatic);
      assert.equal(elf.interpreter !== undefined, !isStatic && name !== 'library');
      assert.equal(elf.buildId, '0123456789abcdef');
      assert.equal(elf.functions(['main'])[0]?.names[0], 'main');
      elf.close();
    });
  }

  test('stripped of its symbols, those of the dynamic loader are left', () => {
    const path = built('stripped.so', source, '-shared', '-fPIC');
    execFileSync('strip', [path]);
    const whole = ElfFile.open(path);
    const [f] = whole.functions(['f']);
    assert.ok(f);
    // And of its section headers, as some packers do.
    const bytes = readFileSync(path);
    bytes.fill(0, 40, 48);
    bytes.fill(0, 60, 64);
    const bare = ElfFile.of(bytes);
    assert.deepEqual(bare.sections, []);
    assert.deepEqual(bare.functions(['f']), [f]);
    assert.equal(bare.buildId, whole.buildId);
    whole.close();
  });

  test('a descriptor stays the caller’s', () => {
    const fd = openSync(built('by-fd', source), 'r');
    const elf = ElfFile.open(fd);
    assert.equal(elf.functions(['f']).length, 1);
    elf.close();
    closeSync(fd);
  });
});

describe('Go', () => {
  /** The beginning of a Go program, as its linker leaves it. */
  const note = (owner: string) => {
    const bytes = Buffer.alloc(64 + 56 + 64);
    bytes.write('\x7fELF\x02\x01\x01', 'latin1');
    bytes.writeUInt16LE(2, 16);
    bytes.writeUInt16LE(62, 18);
    bytes.writeUInt32LE(64, 32);
    bytes.writeUInt16LE(56, 54);
    bytes.writeUInt16LE(1, 56);
    bytes.writeUInt32LE(4, 64);
    bytes.writeUInt32LE(120, 64 + 8);
    bytes.writeUInt32LE(32, 64 + 32);
    bytes.writeUInt32LE(4, 120);
    bytes.writeUInt32LE(4, 124);
    bytes.writeUInt32LE(4, 128);
    bytes.write(`${owner}\0\0`, 132, 'latin1');
    return bytes;
  };
  test('is told by its note', () => {
    assert.equal(ElfFile.of(note('Go')).isGo, true);
    assert.equal(ElfFile.of(note('No')).isGo, false);
  });
});

describe('what is no ELF file of ours', () => {
  const path = join(folder, 'bad');
  const opening = (content: Uint8Array) => () => {
    writeFileSync(path, content);
    ElfFile.open(path).close();
  };
  test('is ELF_INVALID', () => {
    assert.throws(opening(Buffer.from('')), code('ELF_INVALID', /64-bit little-endian/));
    assert.throws(opening(Buffer.from('#!/bin/sh\n'.repeat(20))), code('ELF_INVALID'));
    assert.throws(
      opening(Buffer.from(`\x7fELF\x01${' '.repeat(99)}`, 'latin1')),
      code('ELF_INVALID'),
    );
    assert.throws(
      () => ElfFile.open('/no/such/file'),
      code('ELF_INVALID', /no\/such\/file.*ENOENT/),
    );
    assert.throws(() => ElfFile.open(folder), code('ELF_INVALID', /no regular file/));
    assert.throws(() => ElfFile.open('/dev/zero'), code('ELF_INVALID', /no regular file/));
  });

  test('a pipe does not hold us up', { skip: has('mkfifo') ? false : 'needs mkfifo' }, () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    assert.throws(() => ElfFile.open(pipe), code('ELF_INVALID', /no regular file/));
  });
});

test('a table beyond all bounds is looked at as far as it goes, and the rest is counted', () => {
  const path = join(folder, 'vast');
  const symbols = 3_000_000;
  const names = 2 ** 36;
  // One loaded segment of code, and two sections far out in a file that is mostly a hole.
  const head = Buffer.alloc(64 + 56 + 3 * 64);
  head.write('\x7fELF\x02\x01\x01', 'latin1');
  head.writeUInt16LE(3, 16);
  head.writeUInt16LE(62, 18);
  head.writeBigUInt64LE(64n, 32);
  head.writeBigUInt64LE(120n, 40);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(1, 56);
  head.writeUInt16LE(64, 58);
  head.writeUInt16LE(3, 60);
  const section = (n: number, type: number, offset: number, size: number, link: number) => {
    const at = 120 + n * 64;
    head.writeUInt32LE(type, at + 4);
    head.writeBigUInt64LE(BigInt(offset), at + 24);
    head.writeBigUInt64LE(BigInt(size), at + 32);
    head.writeUInt32LE(link, at + 40);
  };
  section(1, 2, 4096, symbols * 24, 2);
  section(2, 3, 2 ** 30, names, 0);
  writeFileSync(path, head);
  // A symbol here and there, whose names are far from each other.
  const fd = openSync(path, 'r+');
  const symbol = Buffer.alloc(24);
  for (let n = 0; n < 1000; n++) {
    symbol.writeUInt32LE(n * 4_000_000);
    symbol.writeUInt8(0x12, 4);
    symbol.writeUInt16LE(1, 6);
    writeSync(fd, symbol, 0, 24, 4096 + n * 24);
  }
  ftruncateSync(fd, 2 ** 30 + names);
  closeSync(fd);
  const elf = ElfFile.open(path);
  assert.deepEqual(elf.functions(['malloc']), []);
  assert.ok(elf.omittedSymbols > symbols - 2 ** 21);
  elf.close();
});
