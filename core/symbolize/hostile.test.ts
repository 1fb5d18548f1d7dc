/** Files that were made to harm who reads them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { command } from '../../test/command.js';
import {
  addressIn,
  BASE,
  compile,
  hasProgram,
  mapOfFile,
  workshop,
} from '../../test/fakes/compiled.js';
import { random } from '../../test/fuzz/random.js';
import { createSymbolizer } from './create-symbolizer.js';
import type { Frame } from './frame.js';
import type { ProcessMap } from './symbolizer.js';

const folder = workshop(after);
const skip = hasProgram('gcc') ? false : 'gcc is missing';
const GOOD = {
  file: 'good.c',
  text: `#include <stdlib.h>
static inline __attribute__((always_inline)) void *inner(long n) { return malloc(n); }
__attribute__((noinline)) void *outer(long n) { return inner(n + 1); }
int main(int argc, char **argv) { (void)argv; return outer(argc) == 0; }
`,
};

const good = skip === false ? compile(folder, 'good', GOOD, 'gcc', ['-g', '-O1']) : '';
const bytes = skip === false ? readFileSync(good) : Buffer.alloc(0);
const map = skip === false ? mapOfFile(good) : undefined;
const symbol = skip === false ? /^([0-9a-f]+) T outer$/m.exec(command('nm', [good]))?.[1] : '0';
const address = BigInt(`0x${symbol}`) + 1n;

function symbolizer(context: { after(end: () => void): void }, options = {}) {
  const made = createSymbolizer({ questionMs: 20_000, ...options });
  context.after(() => made.close());
  return made;
}

/**
 * With the segments and the build id of the sound file, so that the child is asked whatever the
 * parent can read.
 */
function mapOfMangled(file: string): ProcessMap {
  const { segments = [], buildId = '' } = map?.modules[0] ?? {};
  const whole = mapOfFile(file, { segments, buildId, end: BASE + 0x1000_0000n });
  return { ...whole, find: () => whole.modules[0] };
}

function assertFrames(frames: readonly Frame[] | undefined, at: string): void {
  assert.ok(frames !== undefined && frames.length > 0, at);
  for (const frame of frames) {
    assert.ok((frame.function ?? frame.lack ?? '').length > 0, at);
    assert.ok((frame.function ?? '').length <= 4096 && (frame.file ?? '').length <= 4096, at);
  }
}

describe('a mangled file', { skip }, () => {
  let round = 0;
  let named = 0;
  let deaths = 0;
  async function survives(
    tool: ReturnType<typeof createSymbolizer>,
    content: Buffer,
    at: string,
  ): Promise<void> {
    const file = join(folder, `mangled${round++}`);
    writeFileSync(file, content);
    const mangled = mapOfMangled(file);
    assert.ok(map);
    const asked = addressIn(map, address);
    const frames = (await tool.symbolize(mangled, [asked])).get(asked);
    assertFrames(frames, at);
    named += Number(frames?.at(-1)?.function === 'outer');
    // Who killed the child makes the others wait; each is to be read by one.
    if (tool.statistics.restarts > deaths) {
      deaths = tool.statistics.restarts;
      await restedAgain(tool);
    }
  }

  it('that ends after every 64th', async (context) => {
    const tool = symbolizer(context);
    for (let part = 0; part < 64; part++) {
      const length = Math.floor((bytes.length * part) / 64);
      await survives(tool, bytes.subarray(0, length), `cut to ${part}/64`);
    }
  });

  it('with bytes that were changed at random', async (context) => {
    named = 0;
    deaths = 0;
    const tool = symbolizer(context);
    for (let seed = 0; seed < 200; seed++) {
      const next = random(seed);
      const content = Buffer.from(bytes);
      for (let n = 0; n < 1 + next(40); n++) content[next(content.length)] = next(256);
      await survives(tool, content, `seed ${seed}`);
    }
    context.diagnostic(`${named} named, the child died ${tool.statistics.restarts} times`);
    assert.ok(named > 100, `${named}`);
  });

  it('with bytes of its DWARF changed at random', async (context) => {
    deaths = 0;
    const tool = symbolizer(context);
    const table = command('readelf', ['-SW', good]);
    const places = [...table.matchAll(/\.debug_\w+ +PROGBITS +\S+ (\w+) (\w+)/g)].map(
      ([, at, size]) => [Number.parseInt(at ?? '', 16), Number.parseInt(size ?? '', 16)] as const,
    );
    assert.ok(places.length >= 4);
    for (let seed = 0; seed < 200; seed++) {
      const next = random(seed + 1000);
      const content = Buffer.from(bytes);
      for (let n = 0; n < 1 + next(20); n++) {
        const [at = 0, size = 1] = places[next(places.length)] ?? [];
        content[at + next(size)] = next(256);
      }
      await survives(tool, content, `seed ${seed}`);
    }
    context.diagnostic(`the child died ${tool.statistics.restarts} times`);
  });

  it('whose DWARF goes round in circles', async (context) => {
    const text = command('gcc', ['-g', '-O1', '-S', '-dA', 'good.c', '-o', '-'], { cwd: folder });
    let die = '0x0';
    let circles = 0;
    const lines = text.split('\n').map((line) => {
      die = /# \(DIE \((0x[0-9a-f]+)\)/.exec(line)?.[1] ?? die;
      if (!/\.long\t0x[0-9a-f]+\t# DW_AT_abstract_origin/.test(line)) return line;
      circles++;
      return `\t.long\t${die}`;
    });
    assert.ok(circles > 0, 'nothing to bend');
    writeFileSync(join(folder, 'circles.s'), lines.join('\n'));
    const program = join(folder, 'circles');
    command('gcc', ['circles.s', '-o', program], { cwd: folder });
    const bent = mapOfFile(program);
    const tool = symbolizer(context);
    const asked = addressIn(bent, address + 8n);
    assertFrames((await tool.symbolize(bent, [asked])).get(asked), program);
    assert.equal(tool.statistics.restarts, 0);
  });

  it('that ended two children is read again only after a pause', async (context) => {
    const fileRetryMs = 600_000;
    const tool = symbolizer(context, { questionMs: 200, script: hangingChild(), fileRetryMs });
    assert.ok(map);
    const lacks: (string | undefined)[] = [];
    while (lacks.length < 50 && !lacks.at(-1)?.includes('next attempt')) {
      const asked = addressIn(map, address);
      lacks.push((await tool.symbolize(map, [asked])).get(asked)?.[0]?.lack);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.match(
      lacks.at(-1) ?? '',
      /reader took longer .*2 times at this file; next attempt in \d+ s/,
    );
    assert.equal(tool.statistics.restarts, 2);
    assert.equal(tool.statistics.unresolved, lacks.length);
  });
});

/** Until a child answers again. */
async function restedAgain(tool: ReturnType<typeof createSymbolizer>): Promise<void> {
  assert.ok(map);
  const asked = addressIn(map, address);
  for (let offset = 0n; ; offset = (offset + 1n) % 2n) {
    const [frame] = (await tool.symbolize(map, [asked + offset])).get(asked + offset) ?? [];
    if (frame?.function !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Says that it is ready and then nothing. */
function hangingChild(): string {
  const file = join(folder, 'hanging.mjs');
  const wire = new URL('./wire.js', import.meta.url).href;
  writeFileSync(
    file,
    `import { readSync, writeSync } from 'node:fs';
    const { encode } = await import('${wire}');
    writeSync(1, encode({ kind: 'ready', status: '' }));
    while (readSync(0, Buffer.alloc(1 << 16)) > 0);`,
  );
  return file;
}

describe('what is no file', { skip }, () => {
  const openedLate = (path: string): ProcessMap => {
    const sound = mapOfMangled(path);
    return sound;
  };

  it('a pipe in place of a file is not opened', async (context) => {
    const path = join(folder, 'pipe');
    command('mkfifo', [path]);
    const tool = symbolizer(context);
    const [frames = []] = (await tool.symbolize(openedLate(path), [BASE + 0x1100n])).values();
    assert.match(frames[0]?.lack ?? '', /cannot be opened/);
  });

  it('nor a device', async (context) => {
    const tool = symbolizer(context);
    const device = mapOfMangled('/dev/zero');
    const [frames = []] = (await tool.symbolize(device, [BASE + 0x1100n])).values();
    assert.match(frames[0]?.lack ?? '', /cannot be opened/);
  });

  it('a file of a gigabyte of nothing costs nothing', async (context) => {
    const path = join(folder, 'sparse');
    const fd = openSync(path, 'w');
    ftruncateSync(fd, 2 ** 30);
    closeSync(fd);
    const tool = symbolizer(context);
    const [frames = []] = (await tool.symbolize(mapOfMangled(path), [BASE + 0x1100n])).values();
    assertFrames(frames, path);
    assert.ok(statSync(path).blocks < 100);
    // The child is none the worse for it.
    assert.ok(map);
    const asked = addressIn(map, address);
    const after = (await tool.symbolize(map, [asked])).get(asked);
    assert.equal(after?.at(-1)?.function, 'outer');
  });

  it('a name of ten megabytes is shortened', async (context) => {
    const source = join(folder, 'long.s');
    writeFileSync(source, `.globl ${'x'.repeat(10 << 20)}\n${'x'.repeat(10 << 20)}:\nnop\nnop\n`);
    const object = join(folder, 'long.so');
    const made = spawnSync('gcc', ['-shared', '-nostdlib', source, '-o', object]);
    assert.equal(made.status, 0, String(made.stderr).slice(0, 500));
    const tool = symbolizer(context);
    const long = mapOfFile(object);
    const text = /\.text +PROGBITS +(\w+)/.exec(command('readelf', ['-SW', object]))?.[1];
    const asked = addressIn(long, BigInt(`0x${text}`));
    const [frame] = (await tool.symbolize(long, [asked])).get(asked) ?? [];
    assert.match(frame?.function ?? '', /^x{4096}$/);
  });
});
