/** On a running kernel: processes that a hook saw, told after they have gone, moved or been hidden. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MemoryCgroup } from '../../test/fakes/memory-cgroup.js';
import { MemoryHog } from '../../test/fakes/memory-hog.js';
import type { BpfObject, RingReader } from '../bpf/host.js';
import { createBpfHost } from '../bpf/libbpf.js';
import { recordDecoder } from '../bpf/record.js';
import { readStats } from '../bpf/stats.js';
import { CgroupPaths } from './cgroup-paths.js';
import { CgroupTree, liveFiles } from './cgroup-tree.js';
import { WhoIs, type WhoRecord } from './who.js';

const FILE = fileURLToPath(new URL('../../bpf/who.bpf.o', import.meta.url));
/** Runs until its input ends. Not a command of busybox, whose shell runs its own without executing. */
const HOG = fileURLToPath(new URL('../../test/fakes/memory-hog', import.meta.url));
const CONTAINER = '0123456789abcdef'.repeat(4);

const PATIENCE_MS = 10_000;

const lack = MemoryHog.missing() ?? MemoryCgroup.missing();

for (const way of ['typed', 'numbers'] as const) {
  describe(`who executes a file, by ${way} pointers`, { skip: lack ?? false }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-who-'));
    let seen: Seen;
    let group: MemoryCgroup;
    before(() => {
      seen = new Seen(way);
      group = MemoryCgroup.make({ path: `mem-watcher-who/${CONTAINER}` });
    });
    after(() => {
      for (const child of running) child.kill('SIGKILL');
      seen.close();
      group.remove();
      rmSync(folder, { recursive: true });
    });

    it('agrees with /proc of a process that lives', async () => {
      const child = await start(HOG, []);
      const pid = child.pid ?? 0;
      // Its parent hears of it when its files are closed, which is before the kernel reports it.
      const record = await seen.lastOf(pid, 1);
      const who = new WhoIs(patientPaths()).who(record);
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
      assert.equal(Math.floor(record.start_time / 1e7), ticks);
      assert.equal(who.pid, pid);
      assert.equal(who.tid, pid);
      assert.equal(`${who.comm}\n`, readFileSync(`/proc/${pid}/comm`, 'utf8'));
      assert.equal(who.isKernelThread, false);
      assert(who.cgroup);
      assert(readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n').includes(who.cgroup.line));
      await end(child);
    });

    it('tells the cgroup of a process that has gone', async () => {
      const record = seen.of(await runIn(group));
      const cgroups = patientPaths();
      const { cgroup } = new WhoIs(cgroups).who(record);
      assert.equal(cgroup?.path, group.path);
      assert.equal(cgroup?.containerId, CONTAINER);
      assert.match(cgroup?.line ?? '', group.version === 1 ? /^\d+:memory:\// : /^0::\//);
      assert.equal(record.cgroup_v1, group.version === 1 ? 1 : 0);
      assert.equal(cgroups.unknown, 0);
    });

    it('does not know a cgroup that was removed, and says so', async () => {
      const short = MemoryCgroup.make({});
      const pid = await runIn(short);
      short.remove();
      const cgroups = patientPaths();
      assert.equal(new WhoIs(cgroups).who(seen.of(pid)).cgroup, undefined);
      assert.equal(cgroups.unknown, 1);
    });

    it('knows a removed cgroup that it has met before', async () => {
      const short = MemoryCgroup.make({});
      const pid = await runIn(short);
      const record = seen.of(pid);
      const cgroups = patientPaths();
      const whoIs = new WhoIs(cgroups);
      // A search for one learns all.
      const other = seen.of(await runIn(group));
      assert.equal(whoIs.who(other).cgroup?.path, group.path);
      short.remove();
      assert.equal(whoIs.who(record).cgroup?.path, short.path);
    });

    it('tells the cgroup that it was in, not the one it has moved to', async () => {
      const child = await start('sh', inGroup(group));
      const pid = child.pid ?? 0;
      const record = await seen.lastOf(pid, 2);
      const other = MemoryCgroup.make({});
      writeFileSync(join(other.dir, 'cgroup.procs'), String(pid));
      assert(readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(other.path));
      assert.equal(new WhoIs(patientPaths()).who(record).cgroup?.path, group.path);
      await end(child);
      other.remove();
    });

    it('gives hostile names on, whatever they hold', async () => {
      const names: readonly (readonly [file: Buffer, executable: string])[] = [
        [Buffer.from('a\nb \u001b[31mred'), 'a\nb \u001b[31mred'],
        [Buffer.from([0x61, 0xff, 0xfe, 0x62]), 'a\ufffd\ufffdb'],
        [Buffer.from('\u202eexe.txt'), '\u202eexe.txt'],
        [Buffer.from(`long-${'x'.repeat(90)}`), `long-${'x'.repeat(58)}`],
        [Buffer.from('%s%n$HOME"\'\\'), '%s%n$HOME"\'\\'],
      ];
      const whoIs = new WhoIs(patientPaths());
      for (const [name, executable] of names) {
        const file = Buffer.concat([Buffer.from(`${folder}/`), name]);
        copyFileSync(HOG, file);
        const pid = await run('sh', ['-c', `exec "$(printf '${octal(file)}')" nonsense=1`]);
        const attributes = whoIs.attributes(await seen.lastOf(pid, 2));
        assert.equal(attributes['process.executable.name'], executable);
        // Cut to 15 bytes it is the beginning of the same name: no thread of another.
        assert.equal(attributes['thread.name'], undefined);
      }
    });

    it('lost none', () => assert.equal(seen.lost, 0));
  });
}

/** A guest that shares its machine may take long to look at ten folders. */
const patientPaths = () =>
  new CgroupPaths({
    tree: (controller) =>
      new CgroupTree(controller, liveFiles, { entries: 10_000, ms: PATIENCE_MS }),
  });

/** Every file that is executed, by pid, in order. */
class Seen {
  readonly #object: BpfObject;
  readonly #ring: RingReader;
  readonly #decoder;
  readonly #records = new Map<number, WhoRecord[]>();

  constructor(way: 'typed' | 'numbers') {
    const program = `on_exec_${way}`;
    this.#object = createBpfHost().open(FILE);
    this.#object.selectPrograms([program]);
    this.#object.load();
    this.#object.attach(program);
    this.#ring = this.#object.map(way).ring();
    this.#decoder = recordDecoder<WhoRecord>(this.#object.layout('who'));
  }

  /** The last file that the process executed. */
  of(pid: number): WhoRecord {
    return this.#all(pid).at(-1) ?? assert.fail(`process ${pid} was not seen`);
  }

  /** The file that it executed as its `count`th, once it has. */
  async lastOf(pid: number, count: number): Promise<WhoRecord> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const all = this.#all(pid);
      const record = all[count - 1];
      if (record) return record;
      const seen = all.map(({ executable }) => executable);
      assert(performance.now() < deadline, `process ${pid} has executed only ${seen}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  get lost(): number {
    return readStats(this.#object)?.ringDrops ?? 0;
  }

  close(): void {
    this.#ring.close();
    this.#object.close();
  }

  #all(pid: number): readonly WhoRecord[] {
    this.#ring.drain((view, offset, length) => {
      const record = this.#decoder.decode(view, offset, length);
      this.#records.set(record.pid, [...(this.#records.get(record.pid) ?? []), record]);
    });
    return this.#records.get(pid) ?? [];
  }
}

/** A test that fails leaves its own behind. */
const running = new Set<ChildProcess>();

/** Resolves once it runs its file. */
async function start(file: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(file, args, { stdio: ['pipe', 'ignore', 'ignore'] });
  running.add(child);
  child.once('close', () => running.delete(child));
  await new Promise((resolve, fail) => {
    child.once('spawn', resolve);
    child.once('error', fail);
  });
  return child;
}

/** Its end of input; resolves once it is gone. */
async function end(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('close', resolve));
  child.stdin?.end();
  await gone;
}

/** Runs it to its end; gives the pid that it had. */
async function run(file: string, args: readonly string[]): Promise<number> {
  const child = await start(file, args);
  await end(child);
  return child.pid ?? 0;
}

/** For a shell: enters the group, and executes a file in it. */
const inGroup = (group: MemoryCgroup) => [
  '-c',
  `echo $$ > ${join(group.dir, 'cgroup.procs')}; exec ${HOG}`,
];

/** A process that has been in the group, and is gone. */
const runIn = (group: MemoryCgroup) => run('sh', inGroup(group));

const octal = (bytes: Buffer) =>
  [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
