/** A real container: podman's, of one static program, so that no image has to come from anywhere. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LivePlugin } from '../../plugins/procstat/live-plugin.js';
import { resident } from '../../plugins/procstat/truth.js';
import { MemoryHog } from '../fakes/memory-hog.js';

const PROGRAM = join(import.meta.dirname, '../fakes/memory-hog');
const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-container-'));

/** A store of its own; crun refuses hybrid cgroups, and the usual limits may be above ours. */
function podman(...args: string[]): string {
  const store = [
    '--storage-driver=vfs',
    '--root',
    join(dir, 'store'),
    '--runroot',
    join(dir, 'run'),
  ];
  return execFileSync('podman', [...store, '--runtime', 'runc', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

function lack(): string | undefined {
  const packages = 'apt-get install --no-install-recommends podman runc';
  if (process.getuid?.() !== 0) return 'only root can start the container';
  try {
    execFileSync('runc', ['--version']);
    podman('--version');
  } catch {
    return `podman or runc is missing: ${packages}`;
  }
  return MemoryHog.missing();
}

function runContainer(): string {
  const rootfs = join(dir, 'rootfs');
  for (const name of ['proc', 'dev', 'sys', 'tmp', 'etc', 'run']) {
    mkdirSync(join(rootfs, name), { recursive: true });
  }
  copyFileSync(PROGRAM, join(rootfs, 'memory-hog'));
  const limits = ['--ulimit', 'nofile=20000:20000', '--ulimit', 'nproc=1000:1000'];
  const container = ['--network=none', '--interactive', ...limits, '--rootfs', rootfs];
  return podman('run', '--detach', ...container, '/memory-hog', 'threads=3', 'anon=1500');
}

describe('a real container', { skip: lack() ?? false }, () => {
  let id = '';
  let pid = 0;
  before(async () => {
    id = runContainer();
    pid = Number(podman('inspect', '--format', '{{.State.Pid}}', id));
    while (!podman('logs', id).includes('ready')) {
      assert.equal(podman('inspect', '--format', '{{.State.Status}}', id), 'running');
    }
  });
  after(() => {
    if (id !== '') podman('rm', '--force', id);
    rmSync(dir, { recursive: true, force: true });
  });

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

const commandLine = (of: number) => readFileSync(`/proc/${of}/cmdline`, 'utf8');
