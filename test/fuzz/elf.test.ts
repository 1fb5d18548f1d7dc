/** Damaged ELF files and code that is noise: answers or ELF_INVALID, in bounded time; nothing else. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { UnwindTable } from '../../core/elf/eh-frame.js';
import { ElfFile } from '../../core/elf/elf-file.js';
import { findSite, probeSite } from '../../core/elf/probe-site.js';
import { decode } from '../../core/elf/x86-decode.js';
import { MemWatcherError } from '../../core/errors.js';
import { random } from './random.js';

const ROUNDS = 400;

/** A shared library that every machine of ours has; any ELF file would do. */
function original(): Buffer {
  const path = /\S+\/libm[.-]\S*$/m.exec(readFileSync('/proc/self/maps', 'utf8'))?.[0];
  assert.ok(path);
  return readFileSync(path);
}

function ask(file: Uint8Array): void {
  const elf = ElfFile.of(file);
  void [elf.type, elf.machine, elf.entry, elf.interpreter, elf.buildId, elf.isStatic, elf.isGo];
  elf.section('.text');
  const table = UnwindTable.of(elf);
  for (const address of [0, elf.entry ?? 1, 0x3000, 0xd123, 0x40000, 2 ** 31]) {
    const row = table?.rowAt(address);
    if (row) assert.ok(row.start <= address && address < row.end);
  }
  let rows = 0;
  for (const row of table?.rows() ?? []) {
    assert.ok(row.end > row.start);
    if (++rows === 100_000) break;
  }
  for (const fn of elf.functions(/^(sin|cos)f?$/)) {
    const { offset, entry } = probeSite(elf, fn, { skipNull: true, arguments: 1 });
    assert.ok(offset >= entry && offset < entry + 64 && offset < file.length);
  }
}

/** Where what is read lies: both headers, the dynamic table, symbols and their names. */
function tablesOf(file: Uint8Array): [at: number, length: number][] {
  const elf = ElfFile.of(file);
  const sections = [
    '.dynsym',
    '.dynstr',
    '.dynamic',
    '.note.gnu.build-id',
    '.eh_frame_hdr',
    '.eh_frame',
  ].flatMap((name) => {
    const section = elf.section(name);
    return section === undefined ? [] : [[section.offset, section.size] as [number, number]];
  });
  const headers = elf.sections.length * 64;
  return [[0, 64], [64, elf.segments.length * 56], [file.length - headers, headers], ...sections];
}

test('damaged files', () => {
  const sound = original();
  ask(sound);
  const tables = tablesOf(sound);
  const outcomes = { answered: 0, refused: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const next = random(round + 1);
    const file =
      next(8) === 0 ? Buffer.from(sound.subarray(0, next(sound.length))) : Buffer.from(sound);
    for (let n = next(12); n >= 0 && file.length > 0; n--) {
      const [at, length] = tables[next(tables.length)] ?? [0, 1];
      const place = (at + next(length)) % file.length;
      file[place] = [0, 0xff, 0x7f, 0x80, next(256)][next(5)] ?? 0;
    }
    try {
      ask(file);
      outcomes.answered++;
    } catch (error) {
      assert.ok(error instanceof MemWatcherError, `round ${round}: ${error}`);
      assert.equal(error.code, 'ELF_INVALID', `round ${round}: ${error.message}`);
      outcomes.refused++;
    }
  }
  assert.ok(outcomes.answered > 0 && outcomes.refused > 0, JSON.stringify(outcomes));
});

test('code that is noise: a length within bounds, and a place within the function', () => {
  let decoded = 0;
  for (let round = 0; round < 20_000; round++) {
    const next = random(round + 1);
    const bytes = Uint8Array.from({ length: 1 + next(80) }, () =>
      next(3) === 0 ? ([0x48, 0x85, 0xff, 0x74, 0x53, 0x0f, 0x66, 0x83][next(8)] ?? 0) : next(256),
    );
    const instruction = decode(bytes, 0);
    if (instruction) decoded++;
    if (instruction) assert.ok(instruction.length >= 1 && instruction.length <= bytes.length);
    const { at } = findSite(bytes, { skipNull: next(2) === 0, arguments: next(7) });
    assert.ok(at >= 0 && at < bytes.length);
  }
  assert.ok(decoded > 10_000, `only ${decoded} were instructions`);
});
