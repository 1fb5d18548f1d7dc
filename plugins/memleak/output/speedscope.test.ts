import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { cached, cachePath } from '../../../test/cache.js';
import { fakeSnapshot, STACKS } from './fake.js';
import { speedscopeFile } from './speedscope.js';

const PACKAGE = 'speedscope@1.25.0';
const SCHEMA = 'package/dist/release/file-format-schema.json';

/** speedscope's own schema, out of its package. */
const schemaFile = () =>
  cached(cachePath('speedscope', PACKAGE), (partial) => {
    const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-speedscope-'));
    try {
      execFileSync('npm', ['pack', '--silent', PACKAGE], { cwd: dir, stdio: 'pipe' });
      execFileSync('sh', ['-c', `tar xzf *.tgz ${SCHEMA} && mv ${SCHEMA} "$1"`, 'sh', partial], {
        cwd: dir,
      });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

test("what is written fits speedscope's own schema", async (t) => {
  let text: string;
  try {
    text = readFileSync(await schemaFile(), 'utf8');
  } catch (error) {
    if (process.env.CI) throw error;
    t.skip(`speedscope's schema cannot be had: ${String(error)}`);
    return;
  }
  const schema = z.fromJSONSchema(JSON.parse(text) as Parameters<typeof z.fromJSONSchema>[0]);
  const file = JSON.parse(JSON.stringify(speedscopeFile(fakeSnapshot()))) as { profiles: object[] };
  schema.parse(file);
  const broken = { ...file, profiles: file.profiles.map((one) => ({ ...one, unit: 'pages' })) };
  assert.equal(schema.safeParse(broken).success, false, 'the schema refuses what is wrong');
});

test('bytes and allocations are weights of the same samples, outermost first', () => {
  const { profiles, shared } = speedscopeFile(fakeSnapshot());
  const [bytes, allocations] = profiles;
  assert.ok(bytes && allocations);
  assert.deepEqual(bytes.samples, allocations.samples);
  assert.equal(bytes.samples.length, STACKS.length);
  assert.deepEqual(bytes.weights, [6_000_000, 262_144, 90_000, 40_960, 4096, 1024, 8]);
  assert.deepEqual(allocations.weights, [50_000, 16, 900, 10, 1, 4, 2]);
  assert.equal(bytes.endValue, 6_398_232);
  const names = bytes.samples[0]?.map((index) => shared.frames[index]?.name);
  assert.equal(names?.[0], 'shop');
  assert.equal(names?.at(-1), 'operator new(unsigned long)');
  const unique = new Set(shared.frames.map((frame) => JSON.stringify(frame)));
  assert.equal(unique.size, shared.frames.length);
});
