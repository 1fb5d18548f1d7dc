/**
 * Small programs that were once misjudged, cut short or ended by the watch, each with the right answer:
 * `leaks` on them as anybody would run it.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { dir, skip, told } from './testing/leaky.js';
import { Reading } from './testing/reading.js';

const SOURCES = join(import.meta.dirname, '../../../../plugins/memleak/output/testing/cases');
const LIBRARIES = '/usr/lib/x86_64-linux-gnu';
const C = ['gcc', '-g', '-O1'];
const CXX = ['g++', '-g', '-O1'];

const at = (name: string) => join(dir, name);

/** Why it cannot be made here; false if it was. */
function make(
  name: string,
  source: string,
  words: readonly string[],
  more: readonly string[] = [],
) {
  const [compiler = '', ...flags] = words;
  const made = spawnSync(compiler, [...flags, '-o', at(name), join(SOURCES, source), ...more], {
    encoding: 'utf8',
    cwd: dir,
    env: { ...process.env, GO111MODULE: 'off', GOFLAGS: '-mod=mod' },
  });
  return existsSync(at(name)) ? false : `${compiler}: ${made.error?.message ?? made.stderr}`;
}

interface Stack {
  readonly state: string;
  readonly bytes: number;
  readonly allocations: number;
  readonly heap_bytes: number;
  readonly stack_id: string;
  readonly frames: readonly { readonly function: string | null }[];
}

interface Hunted {
  readonly cli: Reading;
  readonly code: number | null;
  readonly stacks: readonly Stack[];
}

async function hunt(t: TestContext, { pid }: Reading, ...words: string[]): Promise<Hunted> {
  const cli = Reading.cli(t, 'leaks', '--pid', String(pid), '-f', 'json', ...words);
  const code = await cli.closed;
  const stacks = cli.text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Stack)
    .filter(({ stack_id, frames }) => stack_id !== undefined && frames !== undefined);
  return { cli, code, stacks };
}

const namesOf = ({ frames }: Stack) => frames.map((frame) => frame.function);
const through = (stacks: readonly Stack[], name: string) =>
  stacks.filter((stack) => namesOf(stack).includes(name));

/** The one stack through `name`, and its names from there on. */
function only({ stacks, cli }: Hunted, name: string): { stack: Stack; callers: unknown[] } {
  // What the loader holds for a moment, as the program is looked at, is under way and no more.
  const isHeld = ({ state, allocations }: Stack) => state !== 'watching' || allocations > 1;
  const [stack, ...others] = through(stacks, name).filter(isHeld);
  assert.ok(stack && others.length === 0, `${name}:\n${cli.text}${cli.errors}`);
  const names = namesOf(stack);
  return { stack, callers: names.slice(names.indexOf(name)) };
}

describe('where the code is', { skip, concurrency: 2, timeout: 90_000 }, () => {
  const found = (
    what: string,
    missing: string | false,
    program: readonly string[],
    names: readonly string[],
  ) =>
    it(what, { skip: missing }, async (t) => {
      const [command = '', ...args] = program;
      const hunted = await hunt(t, Reading.of(t, command, args), '-d', '5s');
      const { stack, callers } = only(hunted, names[0] ?? '');
      assert.deepEqual(callers.slice(0, names.length), names);
      assert.equal(stack.state, 'confirmed', hunted.cli.text);
    });

  const pie = make('static', 'static.c', [...C, '-static-pie']);
  found('a static-pie', pie, [at('static')], ['lowest', 'middle', 'main']);

  const go = make('lose', 'lose.go', ['go', 'build']);
  found('C code of a Go program', go, [at('lose')], ['lose']);

  for (const [how, flag] of [
    ['without separate code', '-Wl,-z,noseparate-code'],
    ['linked by gold', '-fuse-ld=gold'],
  ] as const) {
    const library = `libtiny${flag.length}.so`;
    const host = `tiny${flag.length}`;
    const missing =
      make(library, 'tiny.c', [...C, '-shared', '-fPIC', flag]) ||
      make(host, 'tiny-host.c', C, [at(library)]);
    const names = ['inner', 'outer', 'request', 'main'];
    found(`a tiny library ${how}`, missing, [at(host)], names);
  }

  const plugin =
    make('plugin.so', 'plugin.c', [...C, '-shared', '-fPIC', '-fomit-frame-pointer']) ||
    make('plugin-host', 'plugin-host.c', C, ['-ldl']);
  found(
    'who loads a library for a moment',
    plugin,
    [at('plugin-host'), at('plugin.so')],
    ['once', 'main'],
  );
});

describe('what an allocation is', { skip, concurrency: 2, timeout: 90_000 }, () => {
  const zero = make('zero', 'zero.c', C);
  it('of no bytes: it takes some of the heap', { skip: zero }, async (t) => {
    const target = Reading.of(t, at('zero'), []);
    const hunted = await hunt(t, target, '-d', '5s', '--exit-code', '9');
    const { stack } = only(hunted, 'lose_nothing');
    assert.equal(hunted.code, 9);
    assert.equal(stack.bytes, 0);
    assert.equal(stack.heap_bytes, 32 * stack.allocations);
  });

  const mappings = make('mappings', 'mappings.c', C);
  it('that is mapped is what is left of it', { skip: mappings }, async (t) => {
    const hunted = await hunt(t, Reading.of(t, at('mappings'), []), '-d', '5s', '--mmap');
    for (const lost of ['lose_mapping', 'lose_half']) {
      const { stack } = only(hunted, lost);
      assert.equal(stack.bytes / stack.allocations, 64 << 10, lost);
      assert.equal(stack.state, 'confirmed', lost);
    }
    // What is under way as the program is looked at.
    for (const [fine, most] of Object.entries({
      trim: 3 << 20,
      cut_out_middle: 96 << 10,
      end_two_at_once: 256 << 10,
      cover: 64 << 10,
    })) {
      for (const { bytes } of through(hunted.stacks, fine)) assert.ok(bytes <= most, fine);
    }
  });

  const large = make('large', 'large.cc', CXX);
  for (const library of ['libtcmalloc_minimal.so.4', 'libjemalloc.so.2', 'libmimalloc.so.2']) {
    const path = join(LIBRARIES, library);
    const missing = large || (existsSync(path) ? false : `${library} is not installed`);
    it(`of 20 MiB by operator new of ${library}`, { skip: missing }, async (t) => {
      const target = Reading.of(t, 'env', [`LD_PRELOAD=${path}`, at('large')]);
      const hunted = await hunt(t, target, '-d', '5s');
      const { stack } = only(hunted, 'lose_frame()');
      assert.equal(stack.bytes / stack.allocations, 20 << 20);
      // jemalloc writes down where its large ones are: to a scan they look referenced.
      assert.match(stack.state, library === 'libjemalloc.so.2' ? /suspected/ : /confirmed/);
    });
  }
});

describe('who throws lives on', { skip, timeout: 90_000 }, () => {
  const limited = make('limited', 'limited.cc', CXX);
  // mimalloc, being C, ends a program that runs out of memory itself.
  for (const library of ['libtcmalloc_minimal.so.4', 'libjemalloc.so.2', '']) {
    const path = join(LIBRARIES, library);
    const missing = limited || (existsSync(path) ? false : `${library} is not installed`);
    const name = library || 'libstdc++ and glibc';
    it(`operator new of ${name}, limited once it is watched`, { skip: missing }, async (t) => {
      const preload = library === '' ? [] : [`LD_PRELOAD=${path}`];
      const target = Reading.of(t, 'env', [...preload, at('limited')]);
      await target.until(/ready/);
      const words = [
        ...['--live', '--interval', '200ms', '--window', '500ms'],
        '-f',
        'json',
        '--sampling',
        'full',
      ];
      const cli = Reading.cli(t, 'leaks', '--pid', String(target.pid), ...words);
      await cli.reaches(
        'an event',
        () => cli.text.includes('\n'),
        () => told(target, 'work'),
      );
      target.say('limit');
      await target.until(/(caught\s+){3}/);
      assert.equal(target.isClosed, false);
      cli.child.kill('SIGINT');
      assert.equal(await cli.closed, 0, cli.errors);
    });
  }

  const pool = make('pool', 'pool.cc', CXX);
  it('a function that is named', { skip: pool }, async (t) => {
    const target = Reading.of(t, at('pool'), []);
    await target.until(/ready/);
    const names = ['--function', 'pool_get=malloc', '--function', 'pool_put=free'];
    const { stacks, cli } = await hunt(t, target, '-d', '4s', ...names);
    assert.equal(target.isClosed, false);
    assert.match(target.text, /(caught\s+){10}/);
    assert.ok(through(stacks, 'main').length > 0, cli.errors);
  });
});

describe('who walks its own stacks', { skip, timeout: 90_000 }, () => {
  const sanitized = make('sanitized', 'sanitized.c', [
    ...C,
    '-fsanitize=leak',
    '-fno-omit-frame-pointer',
  ]);
  it('LeakSanitizer reports what it would unwatched', { skip: sanitized }, async (t) => {
    const target = Reading.of(t, at('sanitized'), []);
    await target.until(/ready/);
    const words = ['--live', '--interval', '200ms', '--window', '500ms', '-f', 'json'];
    const cli = Reading.cli(t, 'leaks', '--pid', String(target.pid), ...words);
    await cli.reaches(
      'an event',
      () => cli.text.includes('\n'),
      () => told(target, 'work'),
    );
    assert.match(cli.text, /lose/);
    target.child.stdin?.end();
    await target.closed;
    assert.match(target.errors, /in lose .*\n.* in middle .*\n.* in main /);
    assert.doesNotMatch(target.errors, /unknown module/);
    await cli.closed;
  });
});

describe('code that is made at run time', { skip, concurrency: 2, timeout: 90_000 }, () => {
  it('does not split a site of Node', async (t) => {
    const target = Reading.of(t, process.execPath, [join(SOURCES, 'buffers.js')]);
    const hunted = await hunt(t, target, '-d', '8s', '--top', '1000');
    const buffers = hunted.stacks.filter(({ frames: [first] }) =>
      /AllocateUninitialized/.test(first?.function ?? ''),
    );
    const largest = Math.max(...buffers.map(({ bytes }) => bytes));
    const all = buffers.reduce((sum, { bytes }) => sum + bytes, 0);
    assert.ok(all > 1 << 20, hunted.cli.text);
    assert.ok(largest > 0.9 * all, buffers.map(({ bytes }) => bytes).join(' '));
    const ids = hunted.stacks.map(({ stack_id }) => stack_id);
    assert.equal(new Set(ids).size, ids.length, 'a stack has a twin');
  });

  spawnSync('javac', ['-nowarn', '-d', dir, join(SOURCES, 'Lose.java')]);
  const java = existsSync(at('Lose.class'))
    ? false
    : 'no JDK: apt-get install default-jdk-headless';
  it('does not split a site of Java', { skip: java }, async (t) => {
    const target = Reading.of(t, 'java', [
      '-Xmx64m',
      '-XX:+PreserveFramePointer',
      '-cp',
      dir,
      'Lose',
    ]);
    const hunted = await hunt(t, target, '-d', '8s', '--top', '1000');
    const { stack } = only(hunted, 'Unsafe_AllocateMemory0');
    assert.ok(stack.allocations > 1000);
    only(hunted, 'inflateInit2_');
    const ids = hunted.stacks.map(({ stack_id }) => stack_id);
    assert.equal(new Set(ids).size, ids.length, 'a stack has a twin');
  });
});
