/** What is known without libdw: symbols. */
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { after, test } from 'node:test';
import { command } from '../../test/command.js';
import { compile, hasProgram, workshop } from '../../test/fakes/compiled.js';
import { ElfNames } from './elf-names.js';

const folder = workshop(after);
const skip = hasProgram('gcc') ? false : 'gcc is missing';

test('each function of nm is named from its first byte to its last', { skip }, () => {
  const text = `int first(int n) { return n + 1; }
    int second(int n) { return first(n) * 2; }
    int main(void) { return second(3); }`;
  const program = compile(folder, 'program', { file: 'p.c', text }, 'gcc', ['-O0']);
  const fd = openSync(program, 'r');
  const names = new ElfNames(fd, (name) => `<${name}>`, 'no libdw');
  closeSync(fd);
  const symbols = [
    ...command('nm', ['-S', program]).matchAll(/^([0-9a-f]+) ([0-9a-f]+) T (first|second|main)$/gm),
  ];
  assert.equal(symbols.length, 3);
  for (const [, start, size, name] of symbols) {
    const begin = BigInt(`0x${start}`);
    for (const address of [begin, begin + BigInt(`0x${size}`) - 1n]) {
      assert.deepEqual(names.look(address), [
        { name: `<${name}>`, begin: begin.toString(16), inlined: false, lack: 'no libdw' },
      ]);
    }
  }
  assert.deepEqual(names.look(0x10n), [{ inlined: false, lack: 'no libdw' }]);
});
