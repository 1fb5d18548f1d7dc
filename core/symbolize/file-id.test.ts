import assert from 'node:assert/strict';
import { statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { workshop } from '../../test/fakes/compiled.js';
import { fileIdOf } from './file-id.js';

const folder = workshop(after);
const stats = (file: string) => statSync(file, { bigint: true });

test('a file that its owner wrote over and gave its old time and size has another version', () => {
  const file = join(folder, 'library.so');
  const write = (text: string) => {
    writeFileSync(file, text);
    utimesSync(file, 1000, 1000);
    return stats(file);
  };
  const before = write('before');
  // The kernel's clock for files goes in steps.
  let now = write('behind');
  while (now.ctimeNs === before.ctimeNs) now = write('behind');
  assert.deepEqual([now.mtimeNs, now.size], [before.mtimeNs, before.size]);
  assert.equal(fileIdOf(now).file, fileIdOf(before).file);
  assert.notEqual(fileIdOf(now).version, fileIdOf(before).version);
});
