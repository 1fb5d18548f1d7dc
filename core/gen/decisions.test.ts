import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { readDecisions, renewDecisions } from './decisions.js';

describe('the index of decisions', () => {
  let folder: string;
  const write = (file: string, first: string) =>
    writeFileSync(join(folder, file), `${first}\n\nX\n`);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mem-watcher-decisions-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('has every decision by number, between its markers', () => {
    write('0002-b.md', '# 0002 Second');
    write('0001-a.md', '# 0001 First');
    write('README.md', '# Decisions');
    const readme = 'Above\n<!-- generated:decisions -->\nold\n<!-- /generated -->\nbelow\n';
    assert.equal(
      renewDecisions(readme, readDecisions(folder)),
      'Above\n<!-- generated:decisions -->\n' +
        '- [0001](0001-a.md) First\n- [0002](0002-b.md) Second\n<!-- /generated -->\nbelow\n',
    );
  });

  it('refuses two of one number', () => {
    write('0001-a.md', '# 0001 First');
    write('0001-b.md', '# 0001 Another');
    assert.throws(() => readDecisions(folder), /two decisions have the number 0001/);
  });

  it('refuses a title of another number, or none', () => {
    write('0001-a.md', '# 0002 First');
    assert.throws(() => readDecisions(folder), /0001-a\.md begins with “# 0002 First”/);
    write('0001-a.md', '# First');
    assert.throws(() => readDecisions(folder), /begins with “# First”/);
  });
});
