/**
 * Goldens: recordings of real kernels, and texts, beside what was made of them when that had been
 * compared with the truth. Each is named where it is used, so that none can be missing, or lie there
 * unread, without a failure.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { casesOf } from './cases.js';

export interface Recording {
  readonly name: string;
  readonly bytes: Buffer;
  /** JSON of what is decoded from it. */
  readonly golden: string;
}

/** The recordings of a folder, which has these (without `.bin`) and no others; none is empty. */
export function recordingsOf(folder: string, names: readonly string[]): readonly Recording[] {
  const there = readdirSync(folder).filter((file) => file.endsWith('.bin'));
  const expected = names.map((name) => `${name}.bin`);
  assert.deepEqual(there.sort(), expected.toSorted(), `the recordings in ${folder}`);
  return casesOf(folder, names).map((name) => {
    const bytes = readFileSync(join(folder, `${name}.bin`));
    assert.ok(bytes.length > 0, `${name}.bin is empty`);
    return { name, bytes, golden: join(folder, `${name}.json`) };
  });
}

/** Whether `value` is what the golden has, as JSON; something must have been decoded. */
export function assertGolden(context: TestContext, golden: string, value: object): void {
  assert.ok(Object.keys(value).length > 0, 'nothing was decoded');
  const text = `${JSON.stringify(value, null, 2)}\n`;
  if (isUpdate(context, golden, text)) return;
  assert.deepEqual(JSON.parse(text), JSON.parse(readFileSync(golden, 'utf8')));
}

export function assertGoldenText(context: TestContext, golden: string, text: string): void {
  assert.notEqual(text, '');
  if (isUpdate(context, golden, text)) return;
  assert.equal(text.toWellFormed(), readFileSync(golden, 'utf8'));
}

/** What the code under test has just written proves nothing: such a test is skipped. */
function isUpdate(context: TestContext, golden: string, text: string): boolean {
  if (!process.env.UPDATE_GOLDENS) return false;
  writeFileSync(golden, text);
  context.skip('UPDATE_GOLDENS: the golden was written, and is to be compared with the truth');
  return true;
}
