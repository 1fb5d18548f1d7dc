/** Debug information in .dwo files: functions and lines are there, and what is missing is said. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { command } from '../../test/command.js';
import { addressIn, compile, hasProgram, mapOfFile, workshop } from '../../test/fakes/compiled.js';
import { createSymbolizer } from './create-symbolizer.js';

const folder = workshop(after);
const symbolizer = createSymbolizer();
after(() => symbolizer.close());
const skip = hasProgram('gcc') ? false : 'gcc is missing';
const SOURCE = {
  file: 'apart.c',
  text: `static inline __attribute__((always_inline)) int deep(volatile int *n) { return *n + 1; }
__attribute__((noinline)) int outer(volatile int *n) { return deep(n); }
int main(int argc, char **argv) { return outer(&argc); }
`,
};

async function outerOf(name: string, options: readonly string[]) {
  const program = compile(folder, name, SOURCE, 'gcc', ['-g', '-O1', ...options]);
  const map = mapOfFile(program);
  const symbol = /^([0-9a-f]+) T outer$/m.exec(command('nm', [program]))?.[1];
  const address = addressIn(map, BigInt(`0x${symbol}`));
  return (await symbolizer.symbolize(map, [address])).get(address) ?? [];
}

describe('split debug information', { skip }, () => {
  for (const version of ['4', '5']) {
    it(`of DWARF ${version} gives function and line, and says what is missing`, async () => {
      const options = ['-gsplit-dwarf', `-gdwarf-${version}`];
      const frames = await outerOf(`apart-${version}`, options);
      const [frame] = frames;
      assert.equal(frames.length, 1);
      assert.equal(frame?.function, 'outer');
      assert.ok(frame?.line, 'no line');
      assert.match(frame?.lack ?? '', /\.dwo files.*without -gsplit-dwarf/);
    });
  }

  it('is not claimed of other files', async () => {
    const frames = await outerOf('whole', []);
    assert.equal(frames.at(-1)?.function, 'outer');
    for (const frame of frames) assert.equal(frame.lack, undefined);
  });
});
