/** A symbol reader that fails now and then: the file is not blamed, and is read once it works. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { command } from '../../test/command.js';
import { addressIn, compile, hasProgram, mapOfFile, workshop } from '../../test/fakes/compiled.js';
import { createSymbolizer } from './create-symbolizer.js';
import type { Frame } from './frame.js';

const folder = workshop(after);
const skip = hasProgram('gcc') ? false : 'gcc is missing';
const REAL = new URL('./symbolize-child.js', import.meta.url).href;
const WIRE = new URL('./wire.js', import.meta.url).href;
const SOURCE = {
  file: 'sound.c',
  text: 'int sound(int n) { return n + 1; }\nint main(void) { return sound(1); }\n',
};

/** Does `fault` in place of the real child, the first `times` that it is started. */
function faulty(name: string, fault: string, times = 1): string {
  const file = join(folder, `${name}.mjs`);
  const begun = join(folder, `${name}.begun`);
  writeFileSync(begun, '');
  writeFileSync(
    file,
    `import { appendFileSync, readSync, statSync, writeSync } from 'node:fs';
    if (statSync('${begun}').size >= ${times}) await import('${REAL}');
    appendFileSync('${begun}', '.');
    const { encode } = await import('${WIRE}');
    writeSync(1, encode({ kind: 'ready', status: '' }));
    readSync(0, Buffer.alloc(1 << 16));
    ${fault}
    for (;;) readSync(0, Buffer.alloc(1 << 16));`,
  );
  return file;
}

const FAULTS: Readonly<Record<string, readonly [fault: string, reason: RegExp]>> = {
  garbage: ["writeSync(1, 'no message at all');", /do not understand each other/],
  'another message': [
    "writeSync(1, encode({ kind: 'ready', status: '' }));",
    /do not understand each other/,
  ],
  'too few answers': [
    "writeSync(1, encode({ kind: 'found', frames: [], tired: false }));",
    /do not understand each other/,
  ],
  silence: ['', /took longer than/],
  'an exception': [
    "throw new TypeError('of its own making');",
    /died: TypeError: of its own making/,
  ],
  'its death': ["process.kill(process.pid, 'SIGKILL');", /died: it ended with SIGKILL/],
};

describe('a symbol reader that fails is no fault of the file', { skip }, () => {
  for (const [what, [fault, reason]] of Object.entries(FAULTS)) {
    it(`by ${what}`, async (context) => {
      const program = compile(folder, `sound-${what.replaceAll(' ', '-')}`, SOURCE, 'gcc', ['-g']);
      const script = faulty(what.replaceAll(' ', '-'), fault);
      const tool = createSymbolizer({ script, questionMs: 3000 });
      context.after(() => tool.close());
      const map = mapOfFile(program);
      const symbol = /^([0-9a-f]+) T sound$/m.exec(command('nm', [program]))?.[1];
      const address = addressIn(map, BigInt(`0x${symbol}`));
      const look = async () => (await tool.symbolize(map, [address])).get(address)?.[0];

      const failed = await look();
      assert.match(failed?.lack ?? '', reason);
      assert.doesNotMatch(failed?.lack ?? '', /file/);
      assert.equal(failed?.isTemporary, true);

      assert.ok(failed);
      let frame: Frame | undefined = failed;
      while (frame?.isTemporary) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        frame = await look();
      }
      assert.equal(frame?.function, 'sound', frame?.lack ?? 'no frame');
      assert.equal(tool.statistics.restarts, 1);
    });
  }

  it('however often the two do not understand each other', async (context) => {
    const program = compile(folder, 'sound-again', SOURCE, 'gcc', ['-g']);
    const [fault] = FAULTS.garbage ?? [];
    assert.ok(fault);
    const tool = createSymbolizer({ script: faulty('again', fault, 3) });
    context.after(() => tool.close());
    const map = mapOfFile(program);
    const symbol = /^([0-9a-f]+) T sound$/m.exec(command('nm', [program]))?.[1];
    const address = addressIn(map, BigInt(`0x${symbol}`));
    let frame: Frame | undefined;
    do {
      frame = (await tool.symbolize(map, [address])).get(address)?.[0];
      assert.doesNotMatch(frame?.lack ?? '', /at this file/);
      await new Promise((resolve) => setTimeout(resolve, 20));
    } while (frame?.isTemporary);
    assert.equal(frame?.function, 'sound', frame?.lack ?? 'no frame');
    assert.equal(tool.statistics.restarts, 3);
  });
});
