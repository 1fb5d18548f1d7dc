/**
 * A program that nobody here wrote, under load, with the allocator that Debian gives it (jemalloc):
 * with a leak that a preloaded library brings into it, and without.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { describeError } from '../../core/errors.js';
import { command } from '../command.js';
import { ROOT } from '../vm/initramfs.js';
import { fetchRedis, Redis } from './redis.js';
import type { Alarm } from './verdict.js';
import { watchByCommand } from './watch.js';

const SOURCE = join(ROOT, 'test/corpus/inject.c');
const SECONDS = 40;
/** Where others take all of the machine, one may be too little for a verdict. */
const ROUNDS = 3;
/**
 * The load is about what the budget allows: by chance, and by how this kernel can probe, the agent
 * would sample one in 64 KiB, of which blocks of 200 bytes are too few for a verdict in this time.
 */
const EVERY_ALLOCATION = ['--sampling', 'full'];

async function lackOf(): Promise<string | false> {
  if (process.getuid?.() !== 0) return 'root is needed to probe the functions of others';
  try {
    await fetchRedis();
    return false;
  } catch (error) {
    if (process.env.CI) throw error;
    return describeError(error);
  }
}

const confirmedOf = (alarms: readonly Alarm[] = []) =>
  alarms.filter(({ state }) => state === 'confirmed');

test('redis-server: the leak is found where it is, and nothing else', {
  skip: await lackOf(),
}, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-inject-'));
  const library = join(dir, 'inject.so');
  command('cc', ['-O2', '-g', '-fPIC', '-shared', '-o', library, SOURCE]);
  const root = await fetchRedis();
  const servers: Redis[] = [];
  try {
    const sound = await Redis.start(root);
    servers.push(sound);
    const leaky = await Redis.start(root, library);
    servers.push(leaky);
    for (const server of servers) server.load();
    let found: readonly Alarm[] = [];
    let said = '';
    for (let round = 0; round < ROUNDS && found.length === 0; round++) {
      const alarms = await watchByCommand(servers, SECONDS, {
        args: EVERY_ALLOCATION,
        onEnd: (pid, words) => {
          if (pid === leaky.pid) said = words;
        },
      });
      assert.deepEqual(
        confirmedOf(alarms.get(sound.pid)).map(({ text }) => text),
        [],
      );
      found = confirmedOf(alarms.get(leaky.pid));
      if (found.length === 0) t.diagnostic(`not found in round ${round + 1}:\n${said}`);
    }
    for (const server of servers) assert.ok(server.commands > 100 * SECONDS, 'there was no load');
    assert.ok(found.length > 0, `the leak was not found:\n${said}`);
    const line =
      readFileSync(SOURCE, 'utf8')
        .split('\n')
        .findIndex((text) => text.includes('LEAK')) + 1;
    // It reads from its client and from /proc: the same line by two roads.
    for (const { frames, text } of found) {
      const [frame] = frames;
      assert.deepEqual(
        { function: frame?.function, file: basename(frame?.file ?? ''), line: frame?.line },
        { function: 'inject_leak', file: 'inject.c', line },
        text,
      );
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(dir, { recursive: true });
  }
});
