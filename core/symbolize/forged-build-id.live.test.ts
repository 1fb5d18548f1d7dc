/** Different files that carry the same build id: each has its own names. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, linkSync, mkdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { command } from '../../test/command.js';
import { addressIn, compile, hasProgram, mapOfFile, workshop } from '../../test/fakes/compiled.js';
import { createSymbolizer } from './create-symbolizer.js';
import type { Symbolizer } from './symbolizer.js';

const folder = workshop(after);
const skip = hasProgram('gcc') ? false : 'gcc is missing';
const ID = '-Wl,--build-id=0x00112233445566778899aabbccddeeff00112233';

/** Says an address in `name`; all of them have it at the same place. */
const source = (name: string) => ({
  file: `${name}.c`,
  text: `#include <stdio.h>
#include <unistd.h>
__attribute__((noinline)) static void *here(void) { return __builtin_return_address(0); }
__attribute__((noinline)) void *${name}(void) {
  void *address = here();
  __asm__ volatile("" ::: "memory");
  return address;
}
int main(void) {
  printf("%p\\n", ${name}());
  fflush(stdout);
  for (;;)
    pause();
}
`,
});

const build = (name: string, ...options: string[]) =>
  compile(folder, name, source(name), 'gcc', ['-O2', ID, ...options]);

function tool(context: TestContext): Symbolizer {
  const symbolizer = createSymbolizer();
  context.after(() => symbolizer.close());
  return symbolizer;
}

async function running(context: TestContext, program: string, ...args: string[]) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  context.after(() => child.kill('SIGKILL'));
  const [said] = await once(child.stdout, 'data');
  assert.ok(child.pid !== undefined);
  return { child, pid: child.pid, address: BigInt(String(said).trim()) };
}

async function nameOf(symbolizer: Symbolizer, pid: number, address: bigint) {
  const map = symbolizer.readMap(pid);
  const [frame] = (await symbolizer.symbolize(map, [address], { calls: true })).get(address) ?? [];
  return { frame, module: map.find(address) };
}

describe('files that carry the same build id', { skip }, () => {
  it('of two processes: each stack has the names of its own file', async (context) => {
    const symbolizer = tool(context);
    const forged = await running(context, build('forged_name'));
    const honest = await running(context, build('honest_name'));
    const first = await nameOf(symbolizer, forged.pid, forged.address);
    const second = await nameOf(symbolizer, honest.pid, honest.address);
    assert.equal(first.module?.buildId, second.module?.buildId, 'the test needs one build id');
    assert.equal(first.frame?.moduleAddress, second.frame?.moduleAddress, 'and one place');
    assert.equal(first.frame?.function, 'forged_name');
    assert.equal(second.frame?.function, 'honest_name');
  });

  it('asked for at once, with room for one open file: each has its own names', async (context) => {
    const symbolizer = createSymbolizer({ heldFiles: 1 });
    context.after(() => symbolizer.close());
    const names = ['first_name', 'other_name', 'third_name'];
    const programs = await Promise.all(names.map((name) => running(context, build(name))));
    const found = await Promise.all(
      programs.map(({ pid, address }) => nameOf(symbolizer, pid, address)),
    );
    assert.deepEqual(
      found.map(({ frame }) => frame?.function),
      names,
    );
    assert.equal(symbolizer.statistics.restarts, 0);
  });

  it('one after the other at the same inode: what was remembered of the first is not the second’s', async (context) => {
    const symbolizer = createSymbolizer({ heldFiles: 1 });
    context.after(() => symbolizer.close());
    const name = join(folder, 'in-place');
    copyFileSync(build('earlier_name'), name);
    const earlier = await running(context, name);
    const map = symbolizer.readMap(earlier.pid);
    assert.equal(
      (await nameOf(symbolizer, earlier.pid, earlier.address)).frame?.function,
      'earlier_name',
    );
    earlier.child.kill('SIGKILL');
    await once(earlier.child, 'exit');
    // Written over: device, inode, path and build id are the same.
    copyFileSync(build('later_name'), name);
    const later = await running(context, name);
    assert.equal(
      (await nameOf(symbolizer, later.pid, later.address)).frame?.function,
      'later_name',
    );
    assert.equal(
      map.find(earlier.address)?.inode,
      symbolizer.readMap(later.pid).find(later.address)?.inode,
    );
  });

  it('in place of one that is gone: its address has no name rather than another file’s', async (context) => {
    const symbolizer = createSymbolizer({ heldFiles: 1 });
    context.after(() => symbolizer.close());
    const name = join(folder, 'gone');
    copyFileSync(build('gone_name'), name);
    const gone = await running(context, name);
    const map = symbolizer.readMap(gone.pid);
    gone.child.kill('SIGKILL');
    await once(gone.child, 'exit');
    unlinkSync(name);
    // Until the inode is used again, or another file is there in any case.
    copyFileSync(build('next_name'), name);
    const next = await running(context, name);
    symbolizer.readMap(next.pid);
    const [frame] =
      (await symbolizer.symbolize(map, [gone.address], { calls: true })).get(gone.address) ?? [];
    assert.ok(frame);
    assert.match(frame.function ?? 'gone_name', /^gone_name$/);
  });

  const root = process.getuid?.() === 0 && hasProgram('chroot') ? false : 'chroot takes root';
  it('a debug file in one process’s root names nothing in another root', {
    skip: root,
  }, async (context) => {
    const symbolizer = tool(context);
    const jail = join(folder, 'jail');
    const debug = join(jail, 'usr/lib/debug/.build-id/00');
    mkdirSync(debug, { recursive: true });
    const program = build('shared_name', '-static', '-g');
    const stripped = join(folder, 'shared');
    command('objcopy', ['--strip-all', program, stripped]);
    // The same file, also in the root that somebody else furnishes.
    linkSync(stripped, join(jail, 'shared'));
    const forged = compile(folder, 'forged', source('shared_name'), 'gcc', [
      ...['-O2', '-static', '-g', ID, '-Dshared_name=forged_name'],
    ]);
    command('objcopy', ['--only-keep-debug', forged, join(debug, `${ID.slice(-38)}.debug`)]);
    const inside = await running(context, 'chroot', jail, '/shared');
    const outside = await running(context, stripped);
    const first = await nameOf(symbolizer, inside.pid, inside.address);
    const second = await nameOf(symbolizer, outside.pid, outside.address);
    assert.equal(first.module?.file, second.module?.file, 'the test needs one file');
    assert.equal(first.frame?.function, 'forged_name', 'whose root it is has the say there');
    assert.equal(second.frame?.function, undefined);
  });

  it('a debug file of one is not believed of the other', async (context) => {
    const symbolizer = tool(context);
    const inner = join(folder, 'debug');
    mkdirSync(inner);
    const other = compile(
      inner,
      'other',
      {
        file: 'other.c',
        text: 'int stray(int n) { return n * 3; }\nint main(int n, char **a) { return a ? stray(n) : 0; }\n',
      },
      'gcc',
      ['-g', '-O0', ID],
    );
    const debug = join(inner, 'program.debug');
    command('objcopy', ['--only-keep-debug', other, debug]);
    const program = build('debugged', '-g');
    const stripped = join(inner, 'stripped');
    command('objcopy', ['--strip-all', `--add-gnu-debuglink=${debug}`, program, stripped]);
    const map = mapOfFile(stripped);
    const symbol = /^([0-9a-f]+) T stray$/m.exec(command('nm', [other]))?.[1];
    const asked = addressIn(map, BigInt(`0x${symbol}`));
    const [frame] = (await symbolizer.symbolize(map, [asked])).get(asked) ?? [];
    assert.equal(frame?.function, undefined);

    command('objcopy', ['--only-keep-debug', program, debug]);
    const own = /^([0-9a-f]+) T debugged$/m.exec(command('nm', [program]))?.[1];
    const place = addressIn(map, BigInt(`0x${own}`));
    const again = tool(context);
    const [named] = (await again.symbolize(map, [place])).get(place) ?? [];
    assert.equal(named?.function, 'debugged', 'its own is');
  });
});
