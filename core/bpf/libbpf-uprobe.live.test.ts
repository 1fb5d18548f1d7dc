/** Functions of user space, probed in each of the ways that this kernel has. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { code } from '../../test/fakes/error-code.js';
import { FILE, hits, host } from '../../test/fakes/kit.js';
import { ElfFile } from '../elf/elf-file.js';
import { MemWatcherError } from '../errors.js';
import { RunningKernel } from '../kernel/running-kernel.js';
import type { BpfObject, UprobeKind } from './host.js';
import { tryUprobes } from './uprobe-trial.js';

const kernel = new RunningKernel();
const FACTS = {
  perf: undefined,
  multi: 'bpf_attach_type.BPF_TRACE_UPROBE_MULTI',
  session: 'bpf_attach_type.BPF_TRACE_UPROBE_SESSION',
} as const;

function lack(kind: UprobeKind): string | false {
  const fact = FACTS[kind];
  if (fact === undefined) return false;
  const result = kernel.check({ btf_enumerator: fact });
  return result.holds ? false : `this kernel lacks ${result.missing}`;
}

const PROGRAMS = ['user_entered', 'user_returned'] as const;

function loaded(context: TestContext, kind: UprobeKind): BpfObject {
  const object = host.open(FILE);
  context.after(() => object.close());
  object.selectPrograms(PROGRAMS);
  for (const program of PROGRAMS) object.setUprobeKind(program, kind);
  object.load();
  return object;
}

/** Where libc, as this process has it, keeps functions that Node calls one to one. */
const libc = (() => {
  const path = /\S+\/libc[.-][^/\n]*$/m.exec(readFileSync('/proc/self/maps', 'utf8'))?.[0] ?? '';
  const file = ElfFile.open(path);
  try {
    const functions = file.functions(['getuid', 'geteuid', 'getgid']);
    const offsetOf = (name: string): number => {
      const found = functions.find(({ names }) => names.includes(name));
      assert.ok(found, `${path} has no ${name}`);
      return found.offset;
    };
    return { path, uid: offsetOf('getuid'), euid: offsetOf('geteuid'), gid: offsetOf('getgid') };
  } finally {
    file.close();
  }
})();
const pid = process.pid;

function call(): void {
  for (let calls = 0; calls < 10; calls++) {
    process.getuid?.();
    process.geteuid?.();
  }
}

async function callOnAThread(): Promise<void> {
  const source = 'for (let n = 0; n < 10; n++) process.getuid();';
  const worker = new Worker(source, { eval: true });
  await new Promise((resolve, reject) => {
    worker.once('exit', resolve);
    worker.once('error', reject);
  });
}

for (const kind of ['perf', 'multi', 'session'] as const) {
  /** A session sees a call twice. */
  const times = kind === 'session' ? 2n : 1n;
  describe(`${kind} uprobes`, { skip: lack(kind) }, () => {
    test('count the calls of several functions of a file, until they are closed', (context) => {
      const object = loaded(context, kind);
      const target = { path: libc.path, pid, offsets: [libc.uid, libc.euid] };
      const entered = object.attachUprobes('user_entered', target);
      call();
      assert.equal(hits(object), 20n * times);
      const gid = object.attachUprobes('user_entered', { ...target, offsets: [libc.gid] });
      for (let calls = 0; calls < 5; calls++) process.getgid?.();
      assert.equal(hits(object), 25n * times);
      entered.close();
      entered.close();
      call();
      process.getgid?.();
      assert.equal(hits(object), 26n * times);
      gid.close();
      process.getgid?.();
      assert.equal(hits(object), 26n * times);
    });

    test('see every thread of the process, and no other process', async (context) => {
      const object = loaded(context, kind);
      const target = { path: libc.path, pid, offsets: [libc.uid] };
      const own = object.attachUprobes('user_entered', target);
      await callOnAThread();
      const seen = hits(object);
      assert.ok(seen >= 10n * times, `${seen}`);
      spawnSync(process.execPath, ['-e', 'process.getuid()']);
      own.close();
      const before = hits(object);
      const parent = object.attachUprobes('user_entered', { ...target, pid: process.ppid });
      call();
      await callOnAThread();
      assert.equal(hits(object), before);
      parent.close();
    });

    test('of the return, where that is asked for', {
      skip: kind === 'session' && 'a session is of both',
    }, (context) => {
      const object = loaded(context, kind);
      const target = { path: libc.path, pid, offsets: [libc.uid] };
      const section = object.attachUprobes('user_returned', target);
      const asked = object.attachUprobes('user_entered', { ...target, isReturn: true });
      call();
      assert.equal(hits(object), 20n);
      section.close();
      asked.close();
    });

    test('end with their object', (context) => {
      const before = kernelObjects();
      const object = loaded(context, kind);
      object.attachUprobes('user_entered', { path: libc.path, pid, offsets: [libc.uid] });
      assert.ok(kernelObjects() > before);
      object.close();
      assert.equal(kernelObjects(), before);
      call();
    });

    test('can be relied on here', (context) => {
      const object = loaded(context, kind);
      tryUprobes(object, 'user_entered', kind);
      assert.equal(hits(object), 0n);
    });

    test('refuse with words: process gone, file gone, no such place', (context) => {
      const object = loaded(context, kind);
      const attach = (more: object) => () =>
        object.attachUprobes('user_entered', { path: libc.path, offsets: [libc.uid], ...more });
      const gone = spawnSync('true').pid;
      assert.throws(attach({ pid: gone }), code('TARGET_GONE', new RegExp(`process ${gone} is`)));
      assert.throws(
        attach({ path: '/no/such/file.so', pid }),
        code('TARGET_GONE', /\/no\/such\/file\.so\+0x.*the file is gone/),
      );
      assert.throws(attach({ path: tmpdir(), pid }), code('BPF_ATTACH_FAILED'));
      assert.throws(attach({ offsets: [2 ** 40] }), (error) => {
        assert.ok(error instanceof MemWatcherError);
        assert.match(error.message, /0x10000000000/);
        assert.match(error.hint ?? '', /beyond the end/);
        return error.code === 'BPF_ATTACH_FAILED';
      });
      assert.throws(attach({ offsets: [] }), code('INTERNAL', /0 offsets/));
      assert.throws(attach({ offsets: [-1] }), code('INTERNAL', /-1/));
      assert.throws(attach({ path: 'a\0b' }), code('INTERNAL', /path/));
      assert.throws(attach({ pid: 0 }), code('INTERNAL', /pid/));
      assert.throws(attach({ cookies: [1, 2] }), code('INTERNAL', /2 cookies/));
    });

    test('attach all or none', (context) => {
      const object = loaded(context, kind);
      const offsets = [libc.uid, 2 ** 40];
      const attach = () => object.attachUprobes('user_entered', { path: libc.path, pid, offsets });
      assert.throws(attach, code('BPF_ATTACH_FAILED'));
      call();
      assert.equal(hits(object), 0n);
    });

    test('of a file with a name that means ill', (context) => {
      const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-uprobe-'));
      context.after(() => rmSync(folder, { recursive: true }));
      const path = join(folder, '%s\n$(reboot) \u{1f4a9}.so');
      writeFileSync(path, readFileSync(libc.path));
      const object = loaded(context, kind);
      const link = object.attachUprobes('user_entered', { path, pid, offsets: [libc.uid] });
      assert.doesNotThrow(() => link.close());
    });
  });
}

test('what is no uprobe cannot be one', (context) => {
  const object = host.open(FILE);
  context.after(() => object.close());
  assert.throws(() => object.setUprobeKind('traced', 'multi'), code('INTERNAL', /tp_btf/));
});

/** Programs, maps, links and events that this process holds. */
const kernelObjects = (): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /bpf|perf_event/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false; // the listing's own
    }
  }).length;
