/** `mem-watcher leaks` as people run it: the built program, a real process, what is printed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { findInstallation } from '../../../core/install.js';
import { Reading } from './testing/reading.js';

const ALLOCATIONS = 1000;
const SIZE = 64;
const MORE = 250;
const EVERY_MS = 200;

const SOURCE = `#include <stdio.h>
#include <stdlib.h>
#include <string.h>
__attribute__((noinline)) static void *leak_here(int size) {
  void *memory = malloc(size);
  return memset(memory, 1, size);
}
__attribute__((noinline)) static void leak(int count) {
  for (int n = 0; n < count; n++) leak_here(${SIZE});
  for (int n = 0; n < count; n++) free(memset(malloc(128), 1, 128));
}
static char out[64], in[64];
int main(void) {
  setvbuf(stdout, out, _IOLBF, sizeof out);
  setvbuf(stdin, in, _IOLBF, sizeof in);
  puts("ready");
  for (int count; scanf("%d", &count) == 1;) {
    leak(count);
    puts("done");
  }
}
`;

const skip =
  process.getuid?.() === 0 ? compilerMissing() : 'root is needed to probe the functions of others';

function compilerMissing(): string | false {
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'no C compiler: apt-get install gcc';
  }
}

suite('leaks', { skip }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-leaks-live-'));
  after(() => rmSync(dir, { recursive: true }));
  const program = join(dir, 'leaky');
  const build = () => {
    writeFileSync(`${program}.c`, SOURCE);
    execFileSync('cc', ['-g', '-O1', '-fno-omit-frame-pointer', '-o', program, `${program}.c`]);
  };

  test('-l PID: bytes, allocations and lines to the letter, live and last', async (t) => {
    build();
    const target = Reading.of(t, program, []);
    await target.until(/ready/);
    const cli = Reading.cli(t, '-l', String(target.pid), '--interval', '200ms');
    // What is allocated before the probes are there is not seen: one at a time until one is.
    let before = 0;
    const isSeen = () => /stack_id/.test(cli.text);
    await cli.reaches('the first stack', isSeen, () => work(target, 1, ++before));
    target.child.stdin?.write(`${ALLOCATIONS}\n`);
    const figures = /total_size=(\d+) nr_allocs=(1\d\d\d)\n/;
    await cli.until(figures);
    target.child.stdin?.write(`${MORE}\n`);
    await target.until(new RegExp(`(done\\s+){${before + 2}}`));
    cli.child.kill('SIGINT');
    assert.equal(await cli.closed, 0, cli.errors);
    const last = cli.text.slice(cli.text.lastIndexOf('stack_id='));
    const [, size, count] = figures.exec(last) ?? assert.fail(last);
    assert.equal(Number(size), Number(count) * SIZE);
    const beyond = Number(count) - ALLOCATIONS - MORE;
    assert.ok(beyond >= 1 && beyond <= before, `${beyond} of ${before} single ones`);
    assert.match(last, /^stack_id=0x[0-9a-f]{16} with outstanding allocations: /);
    assert.match(last, /^[0-9a-f]{16}: leak_here @ 0x[0-9a-f]+\+0x[0-9a-f]+ \/.*\/leaky\.c:5$/m);
    assert.match(last, /^[0-9a-f]{16}: leak @ 0x[0-9a-f]+\+0x[0-9a-f]+ \/.*\/leaky\.c:9$/m);
    assert.match(last, /^[0-9a-f]{16}: main @ 0x[0-9a-f]+\+0x[0-9a-f]+ \/.*\/leaky\.c:18$/m);
  });

  test('a walk that the kernel does not do: which one is taken instead, and why', async (t) => {
    build();
    const profiles = join(dir, 'kernel');
    cpSync(findInstallation(import.meta.url).profiles, profiles, { recursive: true });
    const profile = join(profiles, 'memleak.yaml');
    const helper = 'helper: bpf_for_each_map_elem';
    const text = readFileSync(profile, 'utf8');
    assert.ok(text.includes(helper));
    writeFileSync(profile, text.replace(helper, 'btf_type: no_such_type'));
    const config = join(dir, 'agent.yaml');
    writeFileSync(config, `kernel: { profiles: ${profiles} }\n`);
    const target = Reading.of(t, program, []);
    await target.until(/ready/);
    const cli = Reading.cli(
      t,
      ...['leaks', '--config', config, '--pid', String(target.pid), '--duration', '1s'],
    );
    assert.equal(await cli.closed, 0, cli.errors);
    const said = /^mem-watcher: memleak walks live allocations by (iterator|lookups): .*$/m;
    assert.match(
      said.exec(cli.errors)?.[0] ?? cli.errors,
      /: no for-each, lacks type no_such_type/,
    );
  });

  test('a target that ends: what it held is reported, and that it ended', async (t) => {
    build();
    const target = Reading.of(t, program, []);
    await target.until(/ready/);
    const cli = Reading.cli(
      t,
      ...['leaks', '--pid', String(target.pid), '--duration', '10m'],
      ...['--window', '1s', '--interval', '200ms', '--live'],
    );
    let times = 0;
    const isSeen = () => /leak_here/.test(cli.text);
    await cli.reaches('the first stack', isSeen, () => work(target, 10, ++times));
    const before = cli.text.length;
    target.child.kill('SIGKILL');
    assert.equal(await cli.closed, 0, cli.errors);
    assert.match(cli.text.slice(before), /leak_here .*leaky\.c:5/, 'the last report still has it');
    assert.match(cli.errors, /the target ended after .* of 10 min/);
  });
});

/** Lets the program allocate, for the `times`th time, and leaves a pause in which it may be seen. */
async function work(target: Reading, allocations: number, times: number): Promise<void> {
  target.say(String(allocations));
  await target.until(new RegExp(`(done\\s+){${times}}`));
  await setTimeout(EVERY_MS);
}
