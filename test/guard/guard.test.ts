/** Files of tests that would pass with nothing, run as every run does. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MARK, type TestLine } from '../reporter.js';

const guard = new URL('guard.js', import.meta.url).href;
const reporter = fileURLToPath(new URL('../reporter.js', import.meta.url));

/** What the reporter says of each test: `passed NAME`, or how it failed. */
function outcomes(body: string): string[] {
  const dir = mkdtempSync(join(tmpdir(), 'guard-'));
  const file = join(dir, 'some.test.mjs');
  writeFileSync(
    file,
    `import assert from 'node:assert/strict';
     import { describe, test } from 'node:test';
     ${body}`,
  );
  try {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const reporting = `--test-reporter=${pathToFileURL(reporter).href}`;
    const options = [`--import=${guard}`, '--test', reporting, file];
    const { stdout } = spawnSync(process.execPath, options, { encoding: 'utf8', env });
    const lines = stdout.split('\n').filter((line) => line.startsWith(MARK));
    return lines.map((line) => describeLine(JSON.parse(line.slice(MARK.length))));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function describeLine({ outcome, name, reason }: TestLine): string {
  const known = /passed without an assertion|has no test|without a reason|the value is falsy/;
  const shown = name.includes('some.test.mjs') ? 'the file' : name;
  return outcome === 'failed'
    ? `${shown}: ${known.exec(reason ?? '')?.[0] ?? reason}`
    : `${outcome} ${shown}`;
}

test('a file, and a suite, without a test fails', () => {
  assert.deepEqual(outcomes(''), ['the file: has no test']);
  assert.deepEqual(outcomes(`describe('a', () => { for (const n of []) test(n, () => {}); });`), [
    'a: has no test',
  ]);
  const nested = `describe('a', () => {
    describe('b', () => {});
    test('c', () => assert.ok(true));
  });`;
  assert.deepEqual(outcomes(nested), ['a › b: has no test', 'passed a › c']);
  assert.deepEqual(outcomes(`describe('a', { skip: 'no disk' }, () => {});`), ['skipped a']);
});

test('an assertion that is named and not called does not count', () => {
  assert.deepEqual(outcomes(`test('a', () => { assert.equal; });`), [
    'a: passed without an assertion',
  ]);
  assert.deepEqual(outcomes(`test('a', () => { assert.equal(1, 1); });`), ['passed a']);
  assert.deepEqual(outcomes(`test('a', () => { assert(1); });`), ['passed a']);
  assert.deepEqual(outcomes(`test('a', () => { assert.ok(0); });`), ['a: the value is falsy']);
});

test('a test does not pass on the assertion of one that runs beside it', () => {
  const beside = `test('all', { concurrency: true }, (t) => {
    const asserted = Promise.withResolvers();
    const begun = Promise.withResolvers();
    return Promise.all([
      t.test('one', async () => { begun.resolve(); await asserted.promise; }),
      t.test('two', async () => { await begun.promise; assert.ok(true); asserted.resolve(); }),
    ]);
  });`;
  // Of the other we cannot tell: Node gives the error of a hook to all tests that end meanwhile.
  const seen = outcomes(beside);
  assert.ok(seen.includes('all › one: passed without an assertion'), seen.join('\n'));
});

test('an assertion counts for the test around its subtest, and after a pause', () => {
  const within = `test('a', (t) => t.test('b', () => new Promise((resolve) =>
    setImmediate(() => { assert.ok(true); resolve(); }))));`;
  assert.deepEqual(outcomes(within), ['passed a › b', 'passed a']);
});

test('an assertion outside of any test counts for those that run', () => {
  const shared = `import { createServer, get } from 'node:http';
  import { after, before } from 'node:test';
  let server;
  before(() => new Promise((resolve) => {
    server = createServer((_, answer) => { assert.ok(true); answer.end(); }).listen(0, resolve);
  }));
  after(() => { server.close(); server.closeAllConnections(); });
  test('a', () => new Promise((resolve) =>
    get({ port: server.address().port }, (answer) => answer.resume().on('end', resolve))));`;
  assert.deepEqual(outcomes(shared), ['passed a']);
});
