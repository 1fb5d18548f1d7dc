/** `mem-watcher leaks` where its targets are at their worst: what is printed stays whole. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import {
  compiled,
  dir,
  program,
  type StackLine,
  skip,
  stacksOf,
  started,
  told,
  watched,
  working,
} from './testing/leaky.js';
import { Reading } from './testing/reading.js';

/** More than are followed at once by default. */
const STORM = 500;

/** Offsets of fields into the header of an ELF file of 64 bits. */
const SECTIONS_AT = 40;
const SECTION_SIZE = 58;
const SECTION_COUNT = 60;
/** Bytes of a section header; within it where its size is. */
const HEADER = 64;
const SIZE_AT = 32;

/** What the kernel does not look at as it executes a file. */
const MANGLED: Readonly<Record<string, (path: string) => void>> = {
  'without sections': (path) =>
    edit(path, (file) => {
      file.writeBigUInt64LE(0n, SECTIONS_AT);
      file.writeUInt16LE(0, SECTION_COUNT);
    }),
  'with as many sections as there can be': (path) =>
    edit(path, (file) => {
      file.writeUInt16LE(1, SECTION_SIZE);
      file.writeUInt16LE(0xffff, SECTION_COUNT);
    }),
  'with sections of any size': (path) =>
    edit(path, (file) => {
      const first = Number(file.readBigUInt64LE(SECTIONS_AT));
      for (let n = 0; n < file.readUInt16LE(SECTION_COUNT); n++) {
        file.writeBigUInt64LE(0x7fff_ffff_ffff_ffffn - BigInt(n), first + n * HEADER + SIZE_AT);
      }
    }),
};

/** Nobody can say of it whether it is a Go program, which probes would end. */
const UNREADABLE: Readonly<Record<string, (path: string) => void>> = {
  'cut off before its sections': (path) => {
    // Debug information and symbols are behind what is loaded; their headers are last.
    truncateSync(path, Math.floor(Number(fieldOf(path)) / 4096) * 4096);
  },
  'with sections past its end': (path) =>
    edit(path, (file) => file.writeBigUInt64LE(BigInt(file.length) + 4096n, SECTIONS_AT)),
  'with sections beyond all addresses': (path) =>
    edit(path, (file) => file.writeBigUInt64LE(0xffff_ffff_ffff_fff0n, SECTIONS_AT)),
};

const fieldOf = (path: string) => readFileSync(path).readBigUInt64LE(SECTIONS_AT);

function edit(path: string, change: (file: Buffer) => void): void {
  const file = readFileSync(path);
  change(file);
  writeFileSync(path, file);
}

/** Nothing that a terminal would obey, and no text that is turned round. */
function assertHarmless(text: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  assert.doesNotMatch(text, /[\0-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
}

suite('faults', { skip, timeout: 300_000 }, () => {
  test('a storm of forks: the parent’s figures stay its own, and who found no place is said', async (t) => {
    const target = await started(t);
    const cli = Reading.cli(
      t,
      ...['leaks', '--pid', String(target.pid), '--children', '--window', '500ms'],
      ...['--live', '--interval', '200ms', '--format', 'json'],
    );
    let single = 0;
    const isSeen = () => stacksOf(cli).length > 0;
    await cli.reaches('the first stack', isSeen, () => {
      single++;
      return working(target, 'leak 1')();
    });
    await told(target, `storm ${STORM}`);
    await told(target, 'leak 1000');
    const isWhole = ({ allocations, frames }: StackLine) =>
      frames.some((frame) => frame.function === 'leak_here') && allocations > 1000;
    await cli.reaches('1000 allocations', () => stacksOf(cli).some(isWhole));
    cli.child.kill('SIGINT');
    assert.equal(await cli.closed, 0, cli.errors);
    const { allocations = 0, bytes = 0 } = stacksOf(cli).findLast(isWhole) ?? {};
    assert.ok(allocations <= 1000 + single, `${allocations} of ${1000 + single}`);
    assert.equal(bytes, allocations * 64);
    await told(target, 'leak 1');
  });

  test('a stripped program: what it leaks is told by module, build id and address', async (t) => {
    const path = join(dir, 'stripped');
    execFileSync('strip', ['-s', '-o', path, program]);
    const cli = await watched(t, await started(t, path), /"stack_id"/);
    const [first] = stacksOf(cli).at(-1)?.frames ?? [];
    assert.equal(first?.module, path);
    assert.match(first?.build_id ?? '', /^[0-9a-f]{40}$/);
    assert.match(first?.address ?? '', /^(0x)?[0-9a-f]+$/);
    assert.doesNotMatch(cli.text, /leak_here/);
  });

  test('a stripped static program: why nothing is seen, and exit code 1', async (t) => {
    const path = compiled('stripped-static', '-static', '-s');
    if (path === undefined) return t.skip('no static C library: apt-get install libc6-dev');
    const target = await started(t, path);
    const cli = Reading.cli(t, 'leaks', '--pid', String(target.pid), '--live');
    await cli.until(/linked statically and stripped/);
    cli.child.kill('SIGINT');
    assert.equal(await cli.closed, 1);
    await told(target, 'leak 1');
  });

  for (const [what, mangle] of Object.entries(MANGLED)) {
    test(`a mangled file, ${what}: it is watched all the same`, async (t) => {
      const path = join(dir, what.replaceAll(' ', '-'));
      copyFileSync(program, path);
      mangle(path);
      const target = await started(t, path);
      const stacks = stacksOf(await watched(t, target, /"stack_id"/));
      assert.ok(stacks.some(({ frames }) => frames[0]?.module === path));
      await told(target, 'leak 1');
    });
  }

  for (const [what, mangle] of Object.entries(UNREADABLE)) {
    test(`a mangled file, ${what}: it is let be, and why is said`, async (t) => {
      const path = join(dir, what.replaceAll(' ', '-'));
      copyFileSync(program, path);
      mangle(path);
      const target = await started(t, path);
      const cli = Reading.cli(t, 'leaks', '--pid', String(target.pid), '--live', '-f', 'json');
      assert.equal(await cli.closed, 1);
      assert.match(cli.errors, /its executable: /);
      assert.equal(cli.text, '');
      await told(target, 'leak 1');
    });
  }

  for (const format of ['json', 'table', 'original'] as const) {
    test(`names to be feared: ${format} holds nothing that a terminal obeys`, async (t) => {
      const target = await hostile(t);
      const args = ['--format', format];
      const cli = await watched(t, target, /leak_here|fear/, { args });
      assertHarmless(cli.text);
      assertHarmless(cli.errors);
      if (format !== 'json') return;
      const modules = stacksOf(cli).flatMap(({ frames }) => frames.map(({ module }) => module));
      assert.ok(modules.some((module) => module?.includes('fear')));
    });
  }

  test('names to be feared: a second program starts while the first runs', async (t) => {
    const first = await hostile(t);
    const second = await hostile(t);
    assert.notEqual(first.pid, second.pid);
    assert.ok(!first.isClosed);
  });

  test('names to be feared: a flame graph is XML, a profile JSON', async (t) => {
    const target = await hostile(t);
    for (const format of ['svg', 'folded', 'speedscope']) {
      const text = await documentOf(t, target, format);
      assert.match(text, /fear/);
      if (format === 'speedscope') JSON.parse(text);
      else assertHarmless(text);
    }
  });
});

/** What is written at the end; of a longer run if a short one was over before it saw anything. */
async function documentOf(t: TestContext, target: Reading, format: string): Promise<string> {
  const path = join(dir, `fear.${format}`);
  for (let seconds = 1; ; seconds *= 2) {
    const pid = String(target.pid);
    const cli = Reading.cli(
      t,
      ...['leaks', '--pid', pid, '--duration', `${seconds}s`, '--format', format, '-o', path],
    );
    const work = working(target, 'leak 1');
    while (!cli.isClosed) await work();
    assert.equal(await cli.closed, 0, cli.errors);
    if (!/nothing was allocated/.test(cli.errors)) return readFileSync(path, 'utf8');
  }
}

/** A folder, a file, a process and functions whose names are what nobody would choose. */
async function hostile(t: TestContext): Promise<Reading> {
  const folder = Buffer.from('fear\n\x1b[31m\x1b]0;owned\x07 \u202e"\\');
  // Of its own: a program that still runs cannot be written over.
  const own = mkdtempSync(join(dir, 'hostile-'));
  const inside = Buffer.concat([Buffer.from(`${own}/`), folder, Buffer.from([0xff, 0xfe])]);
  mkdirSync(inside, { recursive: true });
  const path = Buffer.concat([
    inside,
    Buffer.from('/\x1b[2Jx\n'),
    Buffer.from([0xc3]),
    Buffer.from('y'),
  ]);
  const named = join(own, 'named');
  // Without the other names that debug information has for it.
  const rename = 'leak=fear\x1b[31m\n"\\;<';
  execFileSync('objcopy', ['-g', '--redefine-sym', rename, program, named]);
  copyFileSync(named, path);
  const octal = [...path].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  const target = await started(t, 'sh', ['-c', `exec "$(printf '${octal}')"`]);
  await told(target, 'name 1');
  return target;
}
