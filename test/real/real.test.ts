/**
 * Software that nobody here wrote, for REAL_SECONDS (60) each: as it is nothing is confirmed, and with ten lost
 * blocks of 200 bytes a second the one line that loses them is. REAL_ONLY: a part of the name.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { describeError } from '../../core/errors.js';
import { command } from '../command.js';
import type { Alarm } from '../corpus/verdict.js';
import { watchByCommand } from '../corpus/watch.js';
import { ROOT } from '../vm/initramfs.js';
import { fetchServers, KINDS, Place } from './servers.js';

const SECONDS = Number(process.env.REAL_SECONDS ?? 60);
const ONLY = process.env.REAL_ONLY ?? '';
const SOURCE = join(ROOT, 'test/real/inject.c');

const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-real-inject-'));
after(() => rmSync(dir, { recursive: true }));
// A server that is not root's reads it too.
chmodSync(dir, 0o755);
const library = join(dir, 'inject.so');
const root = await fetchServers().catch((error: unknown) => new Error(describeError(error)));
const lack =
  process.getuid?.() !== 0
    ? 'root is needed to probe the functions of others'
    : root instanceof Error && root.message;
if (!lack) command('cc', ['-O2', '-g', '-fPIC', '-shared', '-pthread', '-o', library, SOURCE]);

const LINE =
  1 +
  readFileSync(SOURCE, 'utf8')
    .split('\n')
    .findIndex((text) => text.includes('LEAK'));
const confirmedOf = (alarms: readonly Alarm[] = []) =>
  alarms.filter(({ state }) => state === 'confirmed');

describe('real software', { skip: lack, concurrency: 2 }, () => {
  for (const kind of KINDS.filter(({ name }) => name.includes(ONLY))) {
    it(kind.name, { skip: kind.lack?.() ?? false }, async (t) => {
      const places = [new Place(String(root), undefined), new Place(String(root), library)];
      try {
        const running = [];
        for (const place of places) {
          const one = await kind.start(place);
          if (one.work) place.keepWorking(one.work);
          running.push(one);
        }
        const [sound, leaky] = running;
        const words = new Map<number, string>();
        const alarms = await watchByCommand(running, SECONDS, {
          onEnd: (pid, said) => words.set(pid, said),
        });
        const pid = sound?.pid ?? 0;
        assert.deepEqual(
          confirmedOf(alarms.get(pid)).map(({ text }) => text),
          [],
          words.get(pid) ?? '',
        );
        const found = confirmedOf(alarms.get(leaky?.pid ?? 0));
        const said = words.get(leaky?.pid ?? 0);
        assert.ok(found.length > 0, `the leak was not found:\n${said}`);
        for (const { frames, text, seconds } of found) {
          const { function: name, file = '', line } = frames[0] ?? {};
          assert.deepEqual([name, basename(file), line], ['inject_leak', 'inject.c', LINE], text);
          t.diagnostic(`found after ${seconds.toFixed(0)} s`);
        }
      } finally {
        await Promise.all(places.map((place) => place.stop()));
      }
    });
  }
});
