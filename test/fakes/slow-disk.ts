import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ROOT } from '../vm/initramfs.js';

/** A library to be preloaded, with which each fsync waits for a byte of the pipe `gate`. Takes gcc. */
export function slowDisk(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-slow-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const gate = join(folder, 'gate');
  const library = join(folder, 'slow-fsync.so');
  const source = join(ROOT, 'plugins/memleak/judge/testing/slow-fsync.c');
  for (const [command, ...args] of [
    ['mkfifo', gate],
    ['gcc', '-shared', '-fPIC', '-o', library, source],
  ] as const) {
    const { status, stderr } = spawnSync(command, args);
    assert.equal(status, 0, String(stderr));
  }
  return { folder, gate, library };
}
