/** A real container, seen by procstat. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LivePlugin } from '../../plugins/procstat/live-plugin.js';
import { resident } from '../../plugins/procstat/truth.js';
import { MemoryHog } from '../fakes/memory-hog.js';
import { Podman } from './podman.js';

const PROGRAM = join(import.meta.dirname, '../fakes/memory-hog');
const commandLine = (of: number) => readFileSync(`/proc/${of}/cmdline`, 'utf8');

describe('a real container', { skip: Podman.missing() ?? MemoryHog.missing() ?? false }, () => {
  const podman = new Podman();
  let id = '';
  let pid = 0;
  before(async () => {
    id = podman.run({ program: PROGRAM, args: ['threads=3', 'anon=1500'] });
    pid = podman.pid(id);
    while (!podman.output(id).includes('ready')) assert.ok(podman.isRunning(id));
  });
  after(() => podman.close());

  it('is on its processes', async () => {
    const live = new LivePlugin({ pids: [pid] });
    try {
      const [series] = live.plugin.collect().series;
      assert.equal(series?.attributes['container.id'], id);
      assert.equal(series?.attributes['process.executable.name'], 'memory-hog');
      assert.equal(series?.memory.anon, resident(pid).anon);
      assert.ok((series?.memory.anon ?? 0) >= 1500 * 4096);
    } finally {
      await live.close();
    }
  });

  it('is not on its monitor', async () => {
    const live = new LivePlugin();
    try {
      const monitor = [...live.processes().values()].find(
        ({ executable, pid: candidate }) =>
          executable === 'conmon' && commandLine(candidate).includes(id),
      );
      assert.ok(monitor, 'podman has no conmon for it');
      const only = new LivePlugin({ pids: [monitor.pid] });
      const [series] = only.plugin.collect().series;
      await only.close();
      assert.equal(series?.attributes['container.id'], undefined);
    } finally {
      await live.close();
    }
  });

  it('is one series where containers are asked for', async () => {
    const live = new LivePlugin({ by: 'container' });
    try {
      const found = live.plugin
        .collect()
        .series.filter(({ attributes }) => attributes['container.id'] === id);
      assert.equal(found.length, 1);
      assert.equal(found[0]?.members, 1);
    } finally {
      await live.close();
    }
  });
});
