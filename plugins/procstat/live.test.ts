import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { pageSize } from '../../core/identity/host.js';
import { type HogOptions, MemoryHog } from '../../test/fakes/memory-hog.js';
import { LivePlugin, strategies } from './live-plugin.js';
import type { Process } from './process.js';
import { activity, isHidden, processesWithMemory, resident, status } from './truth.js';

const PAGE = pageSize();
const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-procstat-'));
after(() => rmSync(dir, { recursive: true }));

function fileOf(pages: number): string {
  const path = join(dir, 'mapped');
  writeFileSync(path, Buffer.alloc(pages * PAGE));
  return `${pages}:${path}`;
}

const memoryOf = ({ usage, anon, file, shmem, swap }: Process) => ({
  usage,
  anon,
  file,
  shmem,
  swap,
});

const activityOf = (process: Process) => ({
  voluntarySwitches: process.voluntarySwitches,
  involuntarySwitches: process.involuntarySwitches,
  minorFaults: process.minorFaults,
  majorFaults: process.majorFaults,
});

for (const { name, lack } of strategies.filter(({ hooked }) => !hooked)) {
  const skip = MemoryHog.missing() ?? lack ?? false;
  describe(`procstat by ${name}`, { skip }, () => seesEverything(name));
}

function seesEverything(strategy: string): void {
  let live: LivePlugin;
  before(() => {
    live = new LivePlugin({}, strategy);
  });
  after(() => live.close());

  const withHog = async (options: HogOptions, test: (hog: MemoryHog) => void | Promise<void>) => {
    const hog = await MemoryHog.start(options);
    try {
      await test(hog);
    } finally {
      await hog.stop();
    }
  };

  it('is exact to the page with many threads', () =>
    withHog({ threads: 7, anon: 9173, shmem: 777, file: fileOf(311) }, ({ pid }) => {
      const process = live.process(pid);
      assert.deepEqual(memoryOf(process), resident(pid));
      assert.ok(process.anon >= 9173 * PAGE);
      assert.equal(process.threads, 7);
    }));

  it('is exact to the page with one thread', () =>
    withHog({ anon: 63, shmem: 1 }, ({ pid }) => {
      assert.deepEqual(memoryOf(live.process(pid)), resident(pid));
    }));

  it('agrees with /proc/PID/status in every other field', () =>
    withHog({ threads: 3, anon: 100, peak: 5000, stack: 40, locked: 13 }, ({ pid }) => {
      const { peak, virtual, virtualPeak, swap, data, stack, pageTables, locked, hugetlb } =
        live.process(pid);
      const seen = { peak, virtual, virtualPeak, swap, data, stack, pageTables, locked, hugetlb };
      assert.deepEqual(seen, status(pid));
      assert.equal(locked, 13 * PAGE);
      assert.ok(peak >= 5000 * PAGE && stack >= 40 * PAGE);
    }));

  it('counts switches and faults over all threads', () =>
    withHog({ threads: 4, anon: 500, switches: 9 }, ({ pid }) => {
      assert.deepEqual(activityOf(live.process(pid)), activity(pid));
    }));

  it('counts what threads did that have exited', () =>
    withHog({ dead: 6 }, ({ pid }) => {
      const process = live.process(pid);
      const alive = activity(pid);
      // Each slept five times; on a slow machine some of the sleeps end before they begin.
      assert.ok(process.voluntarySwitches > alive.voluntarySwitches + 6);
      assert.equal(process.minorFaults, alive.minorFaults);
    }));

  it('sees what is swapped out', async (t) => {
    if (readFileSync('/proc/swaps', 'utf8').trim().split('\n').length < 2) {
      return t.skip('this machine has no swap; the matrix runs it on zram');
    }
    await withHog({ threads: 3, anon: 50, swapped: 400 }, ({ pid }) => {
      const process = live.process(pid);
      assert.deepEqual(memoryOf(process), resident(pid));
      assert.equal(process.swap, status(pid).swap);
      assert.ok(process.swap >= 300 * PAGE, `${process.swap / PAGE} pages were swapped out`);
    });
  });

  it('sees pages of hugetlbfs', async (t) => {
    const huge = reserveHugePages(2);
    if (!huge) return t.skip('no two huge pages can be reserved here');
    try {
      await withHog({ hugetlb: 2 }, ({ pid }) => {
        assert.equal(live.process(pid).hugetlb, status(pid).hugetlb);
        assert.ok(live.process(pid).hugetlb > 0);
      });
    } finally {
      huge.release();
    }
  });

  it('sees a process whose leader has exited', () =>
    withHog({ threads: 3, anon: 400, leader: 'exits' }, ({ pid }) => {
      const alive = readdirSync(`/proc/${pid}/task`).find((task) => Number(task) !== pid);
      assert.deepEqual(memoryOf(live.process(pid)), resident(pid, Number(alive)));
    }));

  it('carries any name', () =>
    withHog({ name: 'a\n\u001b[31m"ü' }, ({ pid }) => {
      const process = live.process(pid);
      assert.equal(process.comm, 'a\n\u001b[31m"ü');
      assert.equal(process.executable, 'memory-hog');
    }));

  it('sees more than a thousand processes, and no other than those with memory', () =>
    withHog({ children: 1000, anon: 30 }, ({ pid }) => {
      const before = new Set(processesWithMemory());
      const seen = live.processes();
      const after = new Set(processesWithMemory());
      const missing = [...before].filter((other) => after.has(other) && !seen.has(other));
      assert.deepEqual(missing, []);
      const lasting = [...live.processes().keys()].filter((other) => seen.has(other));
      const known = (other: number) => before.has(other) || after.has(other) || isHidden(other);
      const extra = lasting.filter((other) => !known(other));
      assert.deepEqual(extra, []);
      const children = [...seen.values()].filter(({ ppid }) => ppid === pid);
      assert.equal(children.length, 1000);
      for (const child of children.slice(0, 20)) {
        assert.deepEqual(memoryOf(child), resident(child.pid));
      }
    }));

  it('keeps sums true however few series there are', () =>
    withHog({ children: 300 }, async ({ pid }) => {
      const few = new LivePlugin({ top: 3, names: ['memory-hog'] });
      const all = new LivePlugin({ top: 0, names: ['memory-hog'] });
      try {
        const total = (plugin: LivePlugin) =>
          plugin.plugin.collect().series.reduce((sum, { memory }) => sum + memory.usage, 0);
        assert.equal(total(few), total(all));
        assert.equal(few.plugin.collect().series.length, 4);
        assert.ok(live.processes().has(pid));
      } finally {
        await few.close();
        await all.close();
      }
    }));

  it('tells a process from the one that had its pid before', async (t) => {
    const first = await MemoryHog.start({ anon: 10 });
    const before = live.process(first.pid);
    await first.stop();
    const second = await startAs(t, first.pid);
    if (!second) return;
    const now = live.process(second.pid);
    await second.stop();
    assert.equal(now.pid, before.pid);
    assert.notEqual(now.startNs, before.startNs);
  });

  it('says who owns a process, when it began, and its container', (t) =>
    withHog({ name: 'owned' }, async ({ pid }) => {
      const id = randomBytes(32).toString('hex');
      const group = enterCgroup(`docker/${id}`, pid);
      if (!group) return t.skip('no cgroup can be made here');
      const one = new LivePlugin({ pids: [pid], command_line: true });
      try {
        const [series] = one.plugin.collect().series;
        assert.equal(series?.attributes['container.id'], id);
        assert.match(
          series?.attributes['process.linux.cgroup'] ?? '',
          new RegExp(`/docker/${id}$`),
        );
        assert.match(series?.attributes['process.command_line'] ?? '', /memory-hog name=owned$/);
        assert.equal(series?.process?.uid, process.getuid?.());
        assert.equal(series?.process?.ppid, process.pid);
        const age = Date.now() - (series?.process?.startTime ?? 0);
        assert.ok(age > -1000 && age < 600_000, `it began ${age} ms ago`);
      } finally {
        await one.close();
        group.leave();
      }
    }));
}

/** Makes the next process get this pid; undefined, and the test skipped, where it does not work. */
async function startAs(t: TestContext, pid: number): Promise<MemoryHog | undefined> {
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
    } catch {
      t.skip('pids cannot be chosen here (kernel.ns_last_pid)');
      return undefined;
    }
    const hog = await MemoryHog.start({ anon: 20 });
    if (hog.pid === pid) return hog;
    await hog.stop();
  }
  t.skip('other processes took the pid, twenty times');
  return undefined;
}

function reserveHugePages(count: number): { release(): void } | undefined {
  const knob = '/proc/sys/vm/nr_hugepages';
  try {
    const before = readFileSync(knob, 'utf8');
    const release = () => writeFileSync(knob, before);
    writeFileSync(knob, String(Number(before) + count));
    if (Number(readFileSync(knob, 'utf8')) >= Number(before) + count) return { release };
    release();
  } catch {
    // Not root, or a kernel without hugetlbfs.
  }
  return undefined;
}

/** The v2 hierarchy where it rules; else the memory controller's. */
function enterCgroup(path: string, pid: number): { leave(): void } | undefined {
  const root = ['/sys/fs/cgroup/memory', '/sys/fs/cgroup'].find((mount) =>
    existsSync(join(mount, 'cgroup.procs')),
  );
  if (!root) return undefined;
  const group = join(root, path);
  try {
    mkdirSync(group, { recursive: true });
    writeFileSync(join(group, 'cgroup.procs'), String(pid));
  } catch {
    return undefined;
  }
  return {
    leave() {
      writeFileSync(join(root, 'cgroup.procs'), String(pid));
      rmdirSync(group);
    },
  };
}
