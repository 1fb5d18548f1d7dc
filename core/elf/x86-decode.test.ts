/** Against objdump, over every instruction of real libraries. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { casesOf } from '../../test/fakes/cases.js';
import { disassemble, hasObjdump, LIBRARIES } from './testing/objdump.js';
import { decode } from './x86-decode.js';

const skip = hasObjdump ? false : 'needs objdump of x86-64';

for (const library of casesOf(
  'a library',
  LIBRARIES.filter((path) => existsSync(path)),
)) {
  test(`every instruction of ${library} is as long as objdump says`, { skip }, async () => {
    let known = 0;
    let unknown = 0;
    for await (const { bytes, text, address } of disassemble(library)) {
      const found = decode(bytes, 0);
      if (text.includes('(bad)')) continue;
      if (found === undefined) {
        unknown++;
        continue;
      }
      known++;
      if (found.length === bytes.length) continue;
      const hex = Buffer.from(bytes).toString('hex');
      assert.fail(`${address.toString(16)}: ${hex} ${text}: ${found.length}`);
    }
    assert.ok(known > 1000);
    assert.ok(unknown < known / 1000, `${unknown} of ${known + unknown} are unknown`);
  });
}
