/** Real processes, followed by a watch that attaches to nothing: who is found, and what in it. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type * as z from 'zod';
import { silentLogger } from '../../../core/logger.js';
import { readProcessMap } from '../../../core/symbolize/process-map.js';
import { makeTargetsConfig, type targetsConfig } from './config.js';
import type { FollowedTarget } from './followed-target.js';
import { liveProc } from './proc.js';
import { Targets, type TargetsOptions } from './targets.js';
import { FakeWatch } from './testing/fake-watch.js';
import { compile, compileGo, Program, type StartOptions, workshop } from './testing/program.js';

const dir = workshop();
const dynamic = compile(dir, 'allocate', 'allocate.c', { flags: ['-DWITH_DLOPEN', '-ldl'] });
const staticGlibc = compile(dir, 'allocate-glibc', 'allocate.c', { flags: ['-static'] });
const MUSL = { compiler: 'musl-gcc' };
const staticMusl = compile(dir, 'allocate-musl', 'allocate.c', { ...MUSL, flags: ['-static'] });
const dynamicMusl = compile(dir, 'allocate-musl-so', 'allocate.c', MUSL);
const library = compile(dir, 'libown-malloc.so', 'own-malloc.c', { flags: ['-shared', '-fPIC'] });
const narrow = compile(dir, 'narrow', 'narrow.c', { flags: ['-m32', '-nostdlib', '-static'] });
const goProgram = compileGo(dir, 'go-program', 'waiting.go');
const LIBRARIES = '/usr/lib/x86_64-linux-gnu';
const JEMALLOC = join(LIBRARIES, 'libjemalloc.so.2');
const jemalloc = existsSync(JEMALLOC) ? undefined : 'libjemalloc.so.2 is not installed';
const skip = dynamic.missing ?? (process.getuid?.() === 0 ? false : 'others’ maps are root’s');

/** Seconds after which maps are read again though nothing points to a change. */
const REREAD_SECONDS = 31;

type Given = { [K in keyof typeof targetsConfig]?: z.input<(typeof targetsConfig)[K]> };

/** Targets with a clock that the test moves, so that nothing waits. */
class Bench {
  readonly watch = new FakeWatch();
  readonly conditions = new Map<string, string>();
  readonly targets: Targets;
  #now = 0;

  constructor(context: TestContext, config: Given, more: Partial<TargetsOptions> = {}) {
    this.targets = new Targets({
      watch: this.watch,
      config: makeTargetsConfig(config),
      health: {
        degraded: (id, reason) => this.conditions.set(id, reason),
        clear: (id) => this.conditions.delete(id),
      },
      logger: silentLogger,
      readMap: (pid) => readProcessMap(pid),
      clock: () => this.#now,
      ...more,
    });
    context.after(async () => {
      await this.targets.close();
      this.watch.close();
    });
  }

  /** Seconds pass; all that is to be done is done. */
  async pass(seconds = 1): Promise<this> {
    for (let second = 0; second < seconds; second++) {
      this.#now++;
      do {
        this.targets.refresh();
        await setImmediate();
      } while (this.targets.busy);
    }
    return this;
  }

  /** Those that have not ended. */
  get current(): readonly FollowedTarget[] {
    return this.targets.current().filter(({ state }) => state !== 'ended');
  }

  get pids(): number[] {
    return this.current.map(({ process }) => process.pid);
  }

  only(): FollowedTarget {
    assert.equal(this.current.length, 1);
    return this.current[0] as FollowedTarget;
  }
}

async function start(context: TestContext, file = dynamic.path, options: StartOptions = {}) {
  const program = await Program.start(file, options);
  context.after(() => program.stop());
  return program;
}

const inodeOf = (path: string) => {
  const { dev, ino } = statSync(path);
  return `${dev} ${ino}`;
};

/** Offsets of defined symbols into a file whose first segment begins at 0, as nm says. */
function addresses(path: string): ReadonlyMap<string, number> {
  const { stdout } = spawnSync('nm', ['-D', '--defined-only', path], { encoding: 'utf8' });
  const entries = stdout.split('\n').map((line) => line.split(' '));
  return new Map(
    entries.map(([at = '', , name = '']) => [name.replace(/@.*/, ''), parseInt(at, 16)]),
  );
}

describe('a process by its pid', { skip }, () => {
  it('has the functions of its libc probed, where nm says that they are', async (context) => {
    const { pid } = await start(context);
    const bench = await new Bench(context, { targets: [{ pid }] }).pass();
    const target = bench.only();
    assert.equal(target.state, 'followed');
    assert.deepEqual(target.allocators, ['glibc']);
    assert.equal(target.reason, undefined);
    assert.equal(target.executable, dynamic.path);
    assert.equal(target.attributes['process.pid'], pid);
    assert.deepEqual([...bench.conditions], []);
    const [link, ...others] = bench.watch.linksOf(pid);
    assert.deepEqual(others, []);
    const libc = target.map?.modules.find(({ path }) => /libc\.so/.test(path))?.path ?? '';
    assert.equal(link?.inode, inodeOf(libc));
    const known = addresses(libc);
    const symbols = bench.watch.symbolsOf(pid);
    for (const symbol of [
      'malloc',
      'calloc',
      'realloc',
      'free',
      'posix_memalign',
      'reallocarray',
    ]) {
      assert.ok(symbols.includes(symbol), symbol);
    }
    for (const { symbol, entry, offset } of link?.file.sites ?? []) {
      assert.equal(entry, known.get(symbol), symbol);
      assert.ok(offset >= entry && offset < entry + 64, symbol);
    }
  });

  it('is let go when it exits, and its absence is said', async (context) => {
    const program = await start(context);
    const bench = await new Bench(context, { targets: [{ pid: program.pid }] }).pass();
    await program.stop();
    await bench.pass();
    assert.deepEqual(bench.pids, []);
    assert.equal(bench.watch.links.size, 0);
    // What was recorded of it is there until somebody has read it.
    assert.equal(bench.targets.current()[0]?.state, 'ended');
    assert.deepEqual(bench.watch.log, [`follow ${program.pid}`]);
    bench.targets.settle();
    assert.deepEqual(bench.targets.current(), []);
    assert.deepEqual(bench.watch.log, [`follow ${program.pid}`, `forget ${program.pid}`]);
    assert.match(bench.conditions.get('absent') ?? '', new RegExp(`no process ${program.pid}`));
  });

  it('is let go at once when the kernel tells of the exit', async (context) => {
    const { pid } = await start(context);
    const bench = await new Bench(context, { targets: [{ pid }] }).pass();
    const { process } = bench.only();
    bench.watch.pending = [{ kind: 'exit', process, time: 0 }];
    bench.targets.refresh();
    assert.deepEqual(bench.pids, []);
  });

  it('is told from the one that had the pid before', async (context) => {
    const first = await start(context);
    const bench = await new Bench(context, { targets: [{ pid: first.pid }] }).pass();
    const before = bench.only().process;
    await first.stop();
    const second = await startAs(context, first.pid);
    if (!second) return;
    await bench.pass();
    const now = bench.only().process;
    assert.equal(now.pid, before.pid);
    assert.notEqual(now.startTime, before.startTime);
    assert.equal(bench.watch.linksOf(now.pid).length, 1);
    assert.deepEqual(bench.watch.followed.get(now.pid)?.process, now);
  });

  it('that executes another program is probed anew', async (context) => {
    const program = await start(context);
    const { pid } = program;
    const bench = await new Bench(context, { targets: [{ pid }] }).pass();
    const other = staticGlibc.missing === undefined ? staticGlibc.path : dynamic.path;
    const before = bench.only();
    assert.equal(await program.ask(`exec ${other}`), 'becoming');
    await program.expect('ready');
    await bench.pass();
    const now = bench.only();
    assert.equal(now.executable, other);
    assert.deepEqual(now.process, before.process);
    assert.equal(bench.watch.linksOf(pid)[0]?.inode, inodeOf(other));
    assert.deepEqual(bench.watch.log, [`follow ${pid}`, `forget ${pid}`, `follow ${pid}`]);
  });

  it('is probed anew when the kernel tells of it, once', async (context) => {
    const { pid } = await start(context);
    const bench = await new Bench(context, { targets: [{ pid }] }).pass(2);
    const { process: id } = bench.only();
    const time = Number(process.hrtime.bigint());
    bench.watch.pending = [{ kind: 'exec', process: id, time }];
    await bench.pass(3);
    assert.deepEqual(bench.watch.log, [`follow ${pid}`, `forget ${pid}`, `follow ${pid}`]);
    // It was attached later than that: nothing of the old program is left.
    bench.watch.pending = [{ kind: 'exec', process: id, time }];
    await bench.pass(3);
    assert.equal(bench.watch.log.length, 3);
  });
});

describe('allocators', { skip }, () => {
  const follow = async (context: TestContext, file: string, options: StartOptions = {}) => {
    const { pid } = await start(context, file, options);
    const bench = await new Bench(context, { targets: [{ pid }] }).pass();
    return { bench, pid, target: bench.only() };
  };

  for (const [name, made] of Object.entries({ musl: staticMusl, glibc: staticGlibc })) {
    it(`of a program with ${name} linked into it`, {
      skip: made.missing ?? false,
    }, async (context) => {
      const { bench, pid, target } = await follow(context, made.path);
      assert.deepEqual(target.allocators, [name]);
      assert.equal(target.reason, undefined);
      assert.ok(bench.watch.symbolsOf(pid).includes('malloc'));
      assert.equal(bench.watch.linksOf(pid)[0]?.inode, inodeOf(made.path));
    });
  }

  it('of musl as a library', { skip: dynamicMusl.missing ?? false }, async (context) => {
    const { target } = await follow(context, dynamicMusl.path);
    assert.deepEqual(target.allocators, ['musl']);
  });

  const preloaded = {
    jemalloc: { library: 'libjemalloc.so.2', own: ['mallocx', 'sdallocx', '_Znwm', '_ZdlPvm'] },
    tcmalloc: { library: 'libtcmalloc_minimal.so.4', own: ['_Znwm', '_ZdlPvSt11align_val_t'] },
    mimalloc: { library: 'libmimalloc.so.2', own: ['mi_zalloc', '_Znwm', 'mi_free_size'] },
  };
  for (const [name, { library, own }] of Object.entries(preloaded)) {
    const path = join(LIBRARIES, library);
    const missing = existsSync(path) ? false : `${library} is not installed`;
    it(`of ${name}, preloaded, beside libc’s`, { skip: missing }, async (context) => {
      const { bench, pid, target } = await follow(context, dynamic.path, {
        env: { LD_PRELOAD: path },
      });
      assert.deepEqual([...target.allocators].sort(), ['glibc', name].sort());
      const link = bench.watch.linksOf(pid).find(({ inode }) => inode === inodeOf(path));
      const sites = new Map(link?.file.sites.map((site) => [site.symbol, site]));
      for (const symbol of own) {
        const entry = addresses(path).get(symbol);
        const found = [...sites.values()].find((site) => site.entry === entry);
        assert.ok(found, symbol);
        assert.equal(found.mayThrow, symbol === '_Znwm' ? true : undefined, symbol);
      }
    });
  }

  it('of which one cannot be followed safely is said', {
    skip: jemalloc ?? false,
  }, async (context) => {
    const { pid } = await start(context, dynamic.path, { env: { LD_PRELOAD: JEMALLOC } });
    const bench = await new Bench(context, { targets: [{ pid }], throwing_new: 'never' }).pass();
    assert.match(bench.only().reason ?? '', /functions of .*libjemalloc.so.2 are not followed/);
    const link = bench.watch.linksOf(pid).find(({ inode }) => inode === inodeOf(JEMALLOC));
    assert.ok(link?.file.sites.every(({ symbol }) => !/^_Zn[wa]m(?!.*nothrow)/.test(symbol)));
    assert.match(bench.conditions.get('impaired_targets') ?? '', /libjemalloc/);
  });

  it('of a library that is loaded later, and unloaded', {
    skip: library.missing ?? false,
  }, async (context) => {
    const program = await start(context);
    const { pid } = program;
    const bench = await new Bench(context, { targets: [{ pid }] }).pass(2);
    assert.equal(await program.ask(`dlopen ${library.path}`), 'loaded');
    await bench.pass();
    assert.deepEqual([...bench.only().allocators].sort(), ['glibc', 'other']);
    const inodes = () => bench.watch.linksOf(pid).map(({ inode }) => inode);
    assert.ok(inodes().includes(inodeOf(library.path)));
    assert.equal(await program.ask('dlclose'), 'unloaded');
    await bench.pass();
    assert.ok(!inodes().includes(inodeOf(library.path)));
    assert.deepEqual(bench.watch.log, [`follow ${pid}`]);
  });

  it('by names that are configured', async (context) => {
    const { pid } = await start(context);
    const functions = { strdup: 'malloc' } as const;
    const bench = await new Bench(context, {
      targets: [{ pid, functions, mmap: true, brk: true }],
    }).pass();
    const symbols = bench.watch.symbolsOf(pid);
    for (const symbol of ['strdup', 'mmap', 'munmap', 'mremap', 'sbrk']) {
      assert.ok(symbols.includes(symbol), symbol);
    }
  });
});

describe('files', { skip }, () => {
  it('that were deleted or replaced are probed as they are mapped', async (context) => {
    const path = join(dir, 'will be gone');
    copyFileSync(staticGlibc.path, path);
    const inode = inodeOf(path);
    const { pid } = await start(context, path);
    rmSync(path);
    copyFileSync(dynamic.path, path);
    const bench = await new Bench(context, { targets: [{ pid }] }).pass();
    assert.equal(bench.only().reason, undefined);
    assert.equal(bench.watch.linksOf(pid)[0]?.inode, inode);
  });

  it('of names with a newline, quotes and escapes', async (context) => {
    const folder = join(dir, 'a\nb\u001b[31m "ü\\012');
    mkdirSync(folder);
    const path = join(folder, 'x (deleted)');
    copyFileSync(staticGlibc.path, path);
    const { pid } = await start(context, path);
    const bench = await new Bench(context, { targets: [{ pid }] }).pass();
    assert.equal(bench.watch.linksOf(pid)[0]?.inode, inodeOf(path), bench.only().reason ?? '');
  });

  it('of another root are found there', async (context) => {
    const root = join(dir, 'root');
    mkdirSync(root);
    copyFileSync(staticGlibc.path, join(root, 'program'));
    const { pid } = await start(context, 'chroot', { args: [root, '/program'] });
    const bench = await new Bench(context, { targets: [{ executable: '*/root/program' }] }).pass();
    assert.deepEqual(bench.pids, [pid]);
    assert.equal(bench.watch.linksOf(pid)[0]?.inode, inodeOf(join(root, 'program')));
  });

  it('of which one cannot be attached leave the others, and are said', async (context) => {
    const { pid } = await start(context, dynamic.path, { env: { LD_PRELOAD: library.path } });
    const bench = new Bench(context, { targets: [{ pid }] });
    const bad = inodeOf(library.path);
    bench.watch.refuse = ({ path }) => {
      if (inodeOf(path) === bad) throw new Error('no room');
    };
    await bench.pass(3);
    const target = bench.only();
    assert.deepEqual(target.allocators, ['glibc']);
    assert.match(target.reason ?? '', /libown-malloc.so: no room/);
    assert.equal(target.state, 'followed');
    // What stood in the way has gone.
    bench.watch.refuse = () => undefined;
    await bench.pass(REREAD_SECONDS);
    assert.equal(bench.only().reason, undefined);
    assert.deepEqual([...bench.only().allocators].sort(), ['glibc', 'other']);
  });

  it('that are no honest ELF files leave the others, and are said', async (context) => {
    const path = join(dir, 'mangled.so');
    copyFileSync(library.path, path);
    const { pid } = await start(context, dynamic.path, { env: { LD_PRELOAD: path } });
    // Under its feet: where its sections are (e_shoff), which only we look at.
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.alloc(8, 0xff), 0, 8, 40);
    closeSync(file);
    const bench = await new Bench(context, { targets: [{ pid }] }).pass();
    const target = bench.only();
    assert.deepEqual(target.allocators, ['glibc']);
    assert.match(target.reason ?? '', /mangled\.so: /);
  });
});

describe('what could not be followed', { skip }, () => {
  it('is tried again, for what was in its way may have passed', async (context) => {
    const { pid } = await start(context);
    const bench = new Bench(context, { targets: [{ pid }] });
    bench.watch.refuseToFollow = () => {
      throw new Error('no memory');
    };
    await bench.pass();
    assert.equal(bench.only().state, 'refused');
    assert.match(bench.only().reason ?? '', /cannot be followed: no memory/);
    assert.equal(bench.watch.links.size, 0);
    bench.watch.refuseToFollow = () => undefined;
    await bench.pass(10);
    assert.equal(bench.only().state, 'followed');
    assert.equal(bench.only().reason, undefined);
    assert.deepEqual([...bench.conditions], []);
  });

  it('is not tried again where nothing can change', async (context) => {
    const bench = await new Bench(context, { targets: [{ pid: process.pid }] }).pass();
    const { filesRead } = bench.targets;
    await bench.pass(30);
    assert.equal(bench.only().state, 'refused');
    assert.equal(bench.targets.filesRead, filesRead);
  });

  for (const able of [true, false]) {
    it(`a process with a shadow stack is ${able ? 'followed' : 'let be'} where returns ${able ? 'go with it' : 'would kill it'}`, async (context) => {
      const { pid } = await start(context);
      const text = (one: number, file: string) =>
        liveProc.text(one, file) + (file === 'status' ? 'x86_Thread_features:\twrss shstk \n' : '');
      const bench = new Bench(
        context,
        { targets: [{ pid }] },
        {
          proc: { ...liveProc, text },
          returnsOnShadowStack: () => able,
        },
      );
      const { state, reason = '' } = (await bench.pass()).only();
      assert.equal(state, able ? 'followed' : 'refused');
      if (able) return;
      assert.match(reason, /shadow stack.*6\.11/);
      assert.equal(bench.watch.links.size, 0);
    });
  }
});

describe('what cannot be followed says why', { skip }, () => {
  const reasonOf = async (context: TestContext, pid: number) => {
    const bench = await new Bench(context, { targets: [{ pid }] }).pass(2);
    const { reason = '', allocators } = bench.only();
    assert.deepEqual(allocators, []);
    assert.equal(bench.watch.links.size, 0);
    assert.ok(bench.conditions.get('impaired_targets')?.includes(reason));
    return reason;
  };

  it('this agent', async (context) => {
    assert.match(await reasonOf(context, process.pid), /this agent itself/);
  });

  it('a thread of the kernel', async (context) => {
    const kthreadd = spawnSync('cat', ['/proc/2/comm'], { encoding: 'utf8' }).stdout.trim();
    if (kthreadd !== 'kthreadd') return context.skip('threads of the kernel are not seen here');
    assert.match(await reasonOf(context, 2), /thread of the kernel/);
  });

  it('a Go program', { skip: goProgram.missing ?? false }, async (context) => {
    const { pid } = await start(context, goProgram.path);
    assert.match(await reasonOf(context, pid), /a Go program, which a return probe would crash/);
  });

  it('a static program without symbols', async (context) => {
    const path = join(dir, 'stripped');
    spawnSync('strip', ['-s', '-o', path, staticGlibc.path]);
    const { pid } = await start(context, path);
    assert.match(await reasonOf(context, pid), /linked statically and stripped/);
  });

  it('a 32-bit program', { skip: narrow.missing ?? false }, async (context) => {
    const { pid } = await start(context, narrow.path);
    assert.match(await reasonOf(context, pid), /32-bit/);
  });

  it('a thread’s id', async (context) => {
    // Of this very process: the event loop’s helpers.
    const thread = readdirSync('/proc/self/task')
      .map(Number)
      .find((tid) => tid !== process.pid);
    assert.ok(thread);
    const bench = await new Bench(context, { targets: [{ pid: thread }] }).pass();
    assert.deepEqual(bench.pids, []);
    assert.match(
      bench.conditions.get('absent') ?? '',
      new RegExp(`${thread} is a thread of ${process.pid}`),
    );
  });
});

describe('many', { skip }, () => {
  const named = (name: string) => {
    const path = join(dir, name);
    copyFileSync(staticGlibc.path, path);
    return path;
  };

  it('are followed by name, those that start later too, up to the bound', async (context) => {
    const path = named('herd');
    const bench = new Bench(context, { targets: [{ executable: 'her?' }], max_targets: 3 });
    const first = await start(context, path);
    await bench.pass();
    assert.deepEqual(bench.pids, [first.pid]);
    for (let n = 0; n < 4; n++) await start(context, path);
    await bench.pass();
    assert.equal(bench.pids.length, 3);
    assert.ok(bench.pids.includes(first.pid));
    assert.match(bench.conditions.get('max_targets') ?? '', /^2 more processes match/);
    await first.stop();
    await bench.pass(2);
    assert.equal(bench.pids.length, 3);
    assert.match(bench.conditions.get('max_targets') ?? '', /^1 more/);
  });

  it('read a file once, whoever maps it', async (context) => {
    const path = named('same');
    const bench = new Bench(context, { targets: [{ executable: 'same' }] });
    for (let n = 0; n < 5; n++) await start(context, path);
    await bench.pass();
    assert.equal(bench.watch.followed.size, 5);
    assert.equal(bench.targets.filesRead, 1);
  });

  it('children are followed if asked, and begin with what their parent has if asked', async (context) => {
    const parents = [await start(context), await start(context), await start(context)];
    const [alone, family, heirs] = parents.map(({ pid }) => pid);
    const bench = await new Bench(context, {
      targets: [
        { pid: alone ?? 0 },
        { pid: family ?? 0, children: true },
        { pid: heirs ?? 0, children: true, inherit: true },
      ],
    }).pass();
    const children: number[] = [];
    for (const parent of parents) children.push(Number(await parent.ask('fork')));
    context.after(() => killAll(children));
    await bench.pass(2);
    const [, second = 0, third = 0] = children;
    assert.deepEqual([...bench.pids].sort(), [alone, family, heirs, second, third].sort());
    assert.deepEqual([...bench.watch.inherited.keys()], [third]);
    assert.equal(bench.watch.inherited.get(third)?.pid, heirs);
  });

  it('a storm of short processes leaves nothing behind', async (context) => {
    const path = named('storm');
    const bench = new Bench(context, { targets: [{ executable: 'storm' }], max_targets: 32 });
    const storm = spawn('sh', [
      '-c',
      `n=0; while [ $n -lt 1000 ]; do '${path}' </dev/null >/dev/null; n=$((n+1)); done`,
    ]);
    const ended = new Promise((resolve) => storm.once('close', resolve));
    context.after(() => storm.kill('SIGKILL'));
    let over = false;
    void ended.then(() => {
      over = true;
    });
    let longest = 0;
    while (!over) {
      const began = performance.now();
      await bench.pass();
      longest = Math.max(longest, performance.now() - began);
      await setImmediate();
    }
    await bench.pass(2);
    assert.deepEqual(bench.pids, []);
    assert.equal(bench.watch.links.size, 0);
    bench.targets.settle();
    assert.equal(bench.watch.followed.size, 0);
    assert.deepEqual([...bench.conditions], []);
    context.diagnostic(`the longest refresh took ${longest.toFixed(1)} ms`);
  });
});

/** Makes the next process get this pid; undefined, and the test skipped, where it does not work. */
async function startAs(context: TestContext, pid: number): Promise<Program | undefined> {
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
    } catch {
      context.skip('pids cannot be chosen here (kernel.ns_last_pid)');
      return undefined;
    }
    const program = await start(context);
    if (program.pid === pid) return program;
    await program.stop();
  }
  context.skip('other processes took the pid, twenty times');
  return undefined;
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) process.kill(pid, 'SIGKILL');
}
