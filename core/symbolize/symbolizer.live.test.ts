/** Addresses that running programs say of themselves, named while they run and when they have gone. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { command } from '../../test/command.js';
import { compile, hasProgram, workshop } from '../../test/fakes/compiled.js';
import { createSymbolizer } from './create-symbolizer.js';
import type { Frame } from './frame.js';
import type { ProcessMap } from './symbolizer.js';

const folder = workshop(after);
const skip = hasProgram('gcc') ? false : 'gcc is missing';
const TALKER = {
  file: 'talker.c',
  text: `#include <stdio.h>
#include <unistd.h>
__attribute__((noinline)) static void *here(void) { return __builtin_return_address(0); }
__attribute__((noinline)) void *caller(void) {
  void *address = here(); /* line 5 */
  __asm__ volatile("" ::: "memory");
  return address;
}
int main(void) {
  printf("%p\\n", caller());
  fflush(stdout);
  for (;;)
    pause();
}
`,
};

interface Talker {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly address: bigint;
}

type Context = { after(end: () => void): void };

async function talk(context: Context, program: string, args: string[] = []): Promise<Talker> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  context.after(() => child.kill('SIGKILL'));
  const [said] = await once(child.stdout, 'data');
  assert.ok(child.pid !== undefined);
  return { process: child, pid: child.pid, address: BigInt(String(said).trim()) };
}

async function end({ process: child }: Talker): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

function tool(context: Context) {
  const made = createSymbolizer();
  context.after(() => void made.close());
  return made;
}

async function nameOf(
  symbolizer: ReturnType<typeof createSymbolizer>,
  map: ProcessMap,
  address: bigint,
): Promise<Frame> {
  const [frame] = (await symbolizer.symbolize(map, [address], { calls: true })).get(address) ?? [];
  assert.ok(frame);
  return frame;
}

function assertCaller(frame: Frame, program: string): void {
  assert.equal(frame.function, 'caller', frame.lack ?? '');
  assert.match(frame.file ?? '', /\/talker\.c$/);
  assert.equal(frame.line, 5);
  assert.equal(frame.module, program);
  assert.equal(
    (frame.functionAddress ?? 0n) + BigInt(frame.offset ?? -1),
    frame.moduleAddress,
    'function and offset make the address',
  );
}

const WAYS = {
  pie: ['-fPIE', '-pie'],
  'no-pie': ['-no-pie'],
  static: ['-static'],
  'static-pie': ['-static-pie'],
} as const;

const build = (name: string, options: readonly string[] = WAYS.pie) =>
  compile(folder, name, TALKER, 'gcc', ['-g', '-O2', ...options]);

describe('the caller of a running program', { skip }, () => {
  for (const [way, options] of Object.entries(WAYS)) {
    it(way, async (context) => {
      const program = build(way, options);
      const { pid, address } = await talk(context, program);
      const symbolizer = tool(context);
      const map = symbolizer.readMap(pid);
      const frame = await nameOf(symbolizer, map, address);
      assertCaller(frame, program);
      const symbol = /^([0-9a-f]+) T caller$/m.exec(command('nm', [program]))?.[1];
      assert.equal(frame.functionAddress, BigInt(`0x${symbol}`));
      const module = map.find(address);
      const note = /Build ID: ([0-9a-f]+)/.exec(command('readelf', ['-n', program]))?.[1];
      assert.equal(module?.buildId, note);
    });
  }

  it('has a name after it has gone', async (context) => {
    const program = build('gone');
    const talker = await talk(context, program);
    const symbolizer = tool(context);
    const map = symbolizer.readMap(talker.pid);
    await end(talker);
    unlinkSync(program);
    assertCaller(await nameOf(symbolizer, map, talker.address), program);
  });

  it('has a name when its file was deleted before', async (context) => {
    const program = build('deleted');
    const { pid, address } = await talk(context, program);
    unlinkSync(program);
    const symbolizer = tool(context);
    const map = symbolizer.readMap(pid);
    assert.equal(map.find(address)?.deleted, true);
    assertCaller(await nameOf(symbolizer, map, address), program);
  });

  it('is not taken for what stands in its place now', async (context) => {
    const program = build('replaced');
    const { pid, address } = await talk(context, program);
    const other = compile(
      folder,
      'other',
      {
        file: 'other.c',
        text: 'int wrong(void) { return 1; }\nint main(void) { return wrong(); }\n',
      },
      'gcc',
      ['-g', '-O0'],
    );
    renameSync(other, program);
    const symbolizer = tool(context);
    assertCaller(await nameOf(symbolizer, symbolizer.readMap(pid), address), program);
  });

  it('with a newline in its name', async (context) => {
    const program = join(folder, 'two\nlines');
    copyFileSync(build('plain'), program);
    const { pid, address } = await talk(context, program);
    const symbolizer = tool(context);
    const map = symbolizer.readMap(pid);
    assertCaller(await nameOf(symbolizer, map, address), program);
  });

  const root = process.getuid?.() === 0 && hasProgram('chroot') ? false : 'chroot takes root';
  it('in another root', { skip: root }, async (context) => {
    const inside = mkdtempSync(join(tmpdir(), 'mem-watcher-root-'));
    context.after(() => rmSync(inside, { recursive: true }));
    mkdirSync(join(inside, 'bin'));
    copyFileSync(build('rooted', WAYS.static), join(inside, 'bin/rooted'));
    const { pid, address } = await talk(context, 'chroot', [inside, '/bin/rooted']);
    assert.equal(readlinkSync(`/proc/${pid}/root`), inside);
    const symbolizer = tool(context);
    const map = symbolizer.readMap(pid);
    const frame = await nameOf(symbolizer, map, address);
    assert.equal(frame.function, 'caller', frame.lack ?? '');
    assert.equal(frame.line, 5);
  });

  it('has a reason where there was no time, and is known the next time', async (context) => {
    const program = build('late');
    const { pid, address } = await talk(context, program);
    const symbolizer = tool(context);
    const map = symbolizer.readMap(pid);
    const hurried = await symbolizer.symbolize(map, [address], { calls: true, deadlineMs: 1 });
    assert.match(hurried.get(address)?.[0]?.lack ?? '', /no time/);
    assert.equal(symbolizer.statistics.unresolved, 1);
    assertCaller(await nameOf(symbolizer, map, address), program);
    assert.equal(symbolizer.statistics.restarts, 0);
  });

  it('is looked up once for many processes', async (context) => {
    const program = build('many');
    const symbolizer = tool(context);
    for (let n = 0; n < 5; n++) {
      const { pid, address } = await talk(context, program);
      assertCaller(await nameOf(symbolizer, symbolizer.readMap(pid), address), program);
      assert.equal(symbolizer.statistics.cached, 1);
    }
  });
});

describe('memory without a file', () => {
  it('the vDSO has the names of its own symbols', { skip }, async (context) => {
    const { pid } = await talk(context, build('vdso'));
    const symbolizer = tool(context);
    const map = symbolizer.readMap(pid);
    const vdso = map.modules.find(({ path }) => path === '[vdso]');
    assert.ok(vdso?.buildId);
    const addresses = Array.from({ length: 40 }, (_, n) => vdso.start + 0x600n + BigInt(n * 64));
    const answers = await symbolizer.symbolize(map, addresses);
    const names = new Set([...answers.values()].map(([frame]) => frame?.function));
    assert.ok(
      [...names].some((name) => /gettimeofday|clock_gettime/.test(name ?? '')),
      [...names].join(),
    );
  });

  it('code of a JIT has the names that it wrote down', async (context) => {
    const at = mkdtempSync(join(tmpdir(), 'mem-watcher-jit-'));
    context.after(() => rmSync(at, { recursive: true }));
    const script = `function findMeHere(n) { let s = 0; for (let i = 0; i < n; i++) s += i % 7; return s; }
      for (let i = 0; i < 2000; i++) findMeHere(5000);
      console.log('0'); setInterval(() => findMeHere(10), 1000);`;
    writeFileSync(join(at, 'jit.cjs'), script);
    const { pid } = await talk(context, process.execPath, [
      '--perf-basic-prof',
      join(at, 'jit.cjs'),
    ]);
    const written = `/tmp/perf-${pid}.map`;
    context.after(() => rmSync(written, { force: true }));
    assert.ok(existsSync(written));
    const symbolizer = tool(context);
    const map = symbolizer.readMap(pid);
    const known = readFileSync(written, 'utf8')
      .split('\n')
      .filter((line) => line.includes('findMeHere'));
    const starts = known.map((line) => BigInt(`0x${line.split(' ')[0]}`));
    const inside = starts.filter((start) => map.find(start) !== undefined);
    assert.ok(inside.length > 0, known.join('\n'));
    for (const start of inside) {
      const [frame] = (await symbolizer.symbolize(map, [start + 1n])).get(start + 1n) ?? [];
      assert.match(frame?.function ?? '', /findMeHere/);
      assert.equal(frame?.functionAddress, start);
      assert.equal(frame?.offset, 1);
    }
  });

  it('what nobody tells of has a reason', async (context) => {
    const symbolizer = tool(context);
    const map = symbolizer.readMap(process.pid);
    const answers = await symbolizer.symbolize(map, [1n, 0xffff_ffff_ffff_fff0n]);
    for (const [frame] of answers.values()) assert.equal(frame?.lack, 'nothing is mapped there');
    assert.equal(symbolizer.statistics.unresolved, 2);
  });
});

describe('a process that never was', () => {
  it('has no modules', (context) => {
    const symbolizer = tool(context);
    assert.deepEqual(symbolizer.readMap(2 ** 22 + 1).modules, []);
  });
});
