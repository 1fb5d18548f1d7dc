/** Real processes: which allocators are found, and in which files. */
import assert from 'node:assert/strict';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { compile, type StartOptions } from './testing/program.js';
import {
  addresses,
  Bench,
  dir,
  dynamic,
  inodeOf,
  library,
  REREAD_SECONDS,
  skip,
  start,
  staticGlibc,
} from './testing/stage.js';

const MUSL = { compiler: 'musl-gcc' };
const staticMusl = compile(dir, 'allocate-musl', 'allocate.c', { ...MUSL, flags: ['-static'] });
const dynamicMusl = compile(dir, 'allocate-musl-so', 'allocate.c', MUSL);
const LIBRARIES = '/usr/lib/x86_64-linux-gnu';
const JEMALLOC = join(LIBRARIES, 'libjemalloc.so.2');
const jemalloc = existsSync(JEMALLOC) ? undefined : 'libjemalloc.so.2 is not installed';

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
        assert.equal(found.exits !== undefined, symbol === '_Znwm', symbol);
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
