import assert from 'node:assert/strict';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { command } from '../../test/command.js';
import { hasProgram, workshop } from '../../test/fakes/compiled.js';
import { ElfFile } from './elf-file.js';
import { readAhead } from './read-ahead.js';

const folder = workshop(after);
/** Bytes of the file that are in the page cache. */
const cached = (file: string) => Number(command('fincore', ['-b', '-n', '-o', 'RES', file]).trim());

function missing(): string | false {
  for (const name of ['gcc', 'fincore', 'dd']) if (!hasProgram(name)) return `${name} is missing`;
  const type = command('stat', ['-f', '-c', '%T', folder]).trim();
  return ['tmpfs', 'ramfs'].includes(type) ? `${type} has no disk to read from` : false;
}

/** Symbols of 8 MiB, and as much data that nobody needs. */
function program(): string {
  const functions = Array.from({ length: 40_000 }, (_, n) => {
    const name = `f_${n}_${'long'.repeat(40)}`;
    return `.globl ${name}\n.type ${name},@function\n${name}: ret\n`;
  });
  const source = join(folder, 'large.s');
  writeFileSync(
    source,
    `.text\n${functions.join('')}.section .ballast,"",@progbits\n.fill 33554432,1,7\n`,
  );
  const file = join(folder, 'large.so');
  command('gcc', ['-shared', '-nostdlib', source, '-o', file]);
  command('sync', [file]);
  command('dd', [
    `of=${file}`,
    'oflag=nocache',
    'conv=notrunc,fdatasync',
    'count=0',
    'if=/dev/null',
  ]);
  return file;
}

const skip = missing();
test('brings symbols and their names into the page cache, and not the rest', {
  skip,
}, async (context) => {
  const file = program();
  assert.ok(cached(file) < 4 << 20, 'the file was not dropped from the page cache');
  const fd = openSync(file, 'r');
  context.after(() => closeSync(fd));
  await readAhead(fd);
  const elf = ElfFile.open(file);
  const tables = ['.symtab', '.strtab', '.dynsym', '.dynstr'].map(
    (name) => elf.section(name)?.size ?? 0,
  );
  const bytes = tables.reduce((sum, size) => sum + size, 0);
  assert.ok(bytes > 8 << 20, `${bytes}`);
  assert.ok(cached(file) >= bytes, `${cached(file)} of ${bytes}`);
  assert.ok(cached(file) < bytes + (16 << 20), `${cached(file)}`);
});

test('of what is no ELF file it says nothing', async (context) => {
  const fd = openSync('/etc/passwd', 'r');
  context.after(() => closeSync(fd));
  await assert.doesNotReject(readAhead(fd));
});
