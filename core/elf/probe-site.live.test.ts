/**
 * On the running kernel: at the place that is found a probe sees every call, once, and a session
 * sees it return; the program that is probed does not notice.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FILE, hits, host } from '../../test/fakes/kit.js';
import type { BpfObject, UprobeKind } from '../bpf/host.js';
import { RunningKernel } from '../kernel/running-kernel.js';
import { ElfFile } from './elf-file.js';
import { type ProbeOptions, probeSite } from './probe-site.js';

const PROGRAM = fileURLToPath(new URL('../../test/fakes/allocator-calls-dynamic', import.meta.url));
const DIRECTORY = '/usr/lib/x86_64-linux-gnu';
const TIMES = 300;
const kernel = new RunningKernel();
const has = (name: string) =>
  kernel.check({ btf_enumerator: `bpf_attach_type.BPF_TRACE_UPROBE_${name}` }).holds;
const KIND: UprobeKind = has('SESSION') ? 'session' : has('MULTI') ? 'multi' : 'perf';
/** A session sees a call and its return. */
const PER_CALL = KIND === 'session' ? 2 : 1;

const FUNCTIONS: Readonly<Record<string, ProbeOptions>> = {
  malloc: { arguments: 1 },
  calloc: { arguments: 2 },
  realloc: { arguments: 2 },
  reallocarray: { arguments: 3 },
  memalign: { arguments: 2 },
  aligned_alloc: { arguments: 2 },
  valloc: { arguments: 1 },
  posix_memalign: { arguments: 3 },
};

/** A process that calls what it is told. */
class Caller {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(preload: string | undefined) {
    this.#child = spawn(PROGRAM, [], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: preload === undefined ? {} : { LD_PRELOAD: preload },
    });
    // It may end before it was told all: then its answer is missed.
    this.#child.stdin?.on('error', () => undefined);
    assert.ok(this.#child.stdout);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    assert.ok(done !== true, 'the process ended');
    return value;
  }

  async call(name: string, times = TIMES): Promise<number> {
    this.#child.stdin?.write(`${name} ${times}\n`);
    return Number(await this.line());
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

for (const [name, library] of [
  ['glibc', undefined],
  ['jemalloc', `${DIRECTORY}/libjemalloc.so.2`],
  ['tcmalloc', `${DIRECTORY}/libtcmalloc_minimal.so.4`],
  ['mimalloc', `${DIRECTORY}/libmimalloc.so.2.0`],
] as const) {
  const present = library === undefined || existsSync(library);
  describe(`${name}, by ${KIND} uprobes`, { skip: present ? false : `no ${name} here` }, () => {
    let caller: Caller;
    let object: BpfObject;
    let elf: ElfFile;
    let path: string;

    before(async () => {
      caller = new Caller(library);
      assert.equal(await caller.line(), 'ready');
      const maps = readFileSync(`/proc/${caller.pid}/maps`, 'utf8');
      path = library ?? /\S+\/libc[.-][^/\n]*$/m.exec(maps)?.[0] ?? '';
      elf = ElfFile.open(path);
      object = host.open(FILE);
      object.selectPrograms(['user_entered', 'user_returned']);
      object.setUprobeKind('user_entered', KIND);
      object.setUprobeKind('user_returned', has('MULTI') ? 'multi' : 'perf');
      object.load();
    });
    after(async () => {
      await caller.close();
      object.close();
      elf.close();
    });

    /** Hits while `name` is called, with a probe on `offset`. */
    async function seen(offset: number, name: string, program = 'user_entered'): Promise<number> {
      const target = { path, pid: caller.pid, offsets: [offset] };
      const link = object.attachUprobes(program, target);
      try {
        const before = hits(object);
        await caller.call(name);
        return Number(hits(object) - before);
      } finally {
        link.close();
      }
    }

    for (const [name, options] of Object.entries(FUNCTIONS)) {
      test(`every ${name}, as often as at its entry`, async (context) => {
        const [fn] = elf.functions([name]);
        if (fn === undefined) return context.skip(`it has no ${name}`);
        const { entry, offset, sameStack } = probeSite(elf, fn, options);
        assert.ok(sameStack);
        const expected = TIMES * PER_CALL;
        const found = await seen(offset, name);
        assert.ok(found >= expected, `${found} of ${expected} at +${offset - entry}`);
        assert.equal(found, await seen(entry, name));
        // The stack is there what it is at the entry, so a return probe finds where to return to.
        assert.equal(found, (await seen(offset, name, 'user_returned')) * PER_CALL);
      });
    }

    test('every free of something; of nothing all of them or none', async () => {
      const [fn] = elf.functions(['free']);
      assert.ok(fn);
      const { entry, offset } = probeSite(elf, fn, { arguments: 1, skipNull: true });
      assert.equal(await seen(offset, 'malloc'), TIMES * PER_CALL);
      assert.equal(await seen(entry, 'free-null'), TIMES * PER_CALL);
      const nothing = await seen(offset, 'free-null');
      assert.ok(nothing === 0 || nothing === TIMES * PER_CALL, `${nothing}`);
    });
  });
}
