import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { formatKernelStack, KernelSymbols } from './kallsyms.js';

const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-kallsyms-'));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
function fileWith(text: string): string {
  const file = join(folder, `kallsyms-${files++}`);
  writeFileSync(file, text);
  return file;
}

const SYMBOLS = `ffffffff81000000 T _stext
ffffffff81000100 t inner
ffffffff81000200 T outer
ffffffff81000300 T _etext
ffffffffc0000000 t hook\t[nf_tables]
`;
const INNER = 0xffffffff81000100n;
const OUTER = 0xffffffff81000200n;
const HOOK = 0xffffffffc0000000n;

/** Time that only the test moves. */
class Clock {
  now = 1000;
  readonly read = () => this.now;
}

function symbolsOf(text: string, cacheSize = 100) {
  const file = fileWith(text);
  const clock = new Clock();
  return { file, clock, symbols: new KernelSymbols({ file, clock: clock.read, cacheSize }) };
}

const told = async (symbols: KernelSymbols, ...stack: bigint[]) =>
  formatKernelStack(await symbols.resolve(stack)).split('\n');

describe('a stack', () => {
  it('has every frame’s function, offset and module', async () => {
    const { symbols } = symbolsOf(SYMBOLS);
    assert.deepEqual(await symbols.resolve([INNER + 4n, HOOK + 0x41n]), [
      { address: INNER + 4n, function: 'inner', offset: 4 },
      { address: HOOK + 0x41n, function: 'hook', offset: 0x41, module: 'nf_tables' },
    ]);
    assert.equal(symbols.reason, undefined);
  });

  it('keeps the address of what has no name', async () => {
    const { symbols } = symbolsOf(SYMBOLS);
    assert.deepEqual(await symbols.resolve([0xffffffff81000300n]), [
      { address: 0xffffffff81000300n },
    ]);
    assert.deepEqual(await symbols.resolve([]), []);
  });

  it('returns into the function of the call, though the call was its last instruction', async () => {
    const { symbols } = symbolsOf(SYMBOLS);
    // The innermost is no return: a probe at a function's entry is in that function.
    assert.deepEqual(await told(symbols, OUTER, OUTER), ['outer+0x0', 'inner+0x100']);
  });
});

describe('the file', () => {
  it('is read once for all that ask together, and not again for what is known', async () => {
    const { symbols } = symbolsOf(SYMBOLS);
    const stacks = await Promise.all(
      Array.from({ length: 50 }, (_, n) => told(symbols, INNER + BigInt(n), OUTER + 1n)),
    );
    assert.equal(symbols.passes, 1);
    assert.deepEqual(stacks[7], ['inner+0x7', 'outer+0x1']);
    await told(symbols, INNER + 3n, OUTER + 1n);
    assert.equal(symbols.passes, 1);
  });

  it('is read again for those that asked while it was read', async () => {
    const { symbols } = symbolsOf(SYMBOLS);
    const first = told(symbols, INNER);
    while (symbols.passes === 0) {
      const [late] = await Promise.all([told(symbols, OUTER), setImmediate()]);
      assert.deepEqual(late, ['outer+0x0']);
    }
    assert.deepEqual(await first, ['inner+0x0']);
  });

  it('is left alone for a time that its reading took many times over', async (context) => {
    const file = fileWith(SYMBOLS);
    context.mock.timers.enable({ apis: ['setTimeout'] });
    let now = 0;
    const symbols = new KernelSymbols({ file, clock: () => now++ });
    const first = told(symbols, INNER);
    context.mock.timers.tick(0);
    assert.deepEqual(await first, ['inner+0x0']);
    const second = told(symbols, OUTER);
    for (let turn = 0; turn < 20; turn++) {
      context.mock.timers.tick(1);
      await setImmediate();
    }
    assert.equal(symbols.passes, 1);
    context.mock.timers.tick(1000);
    assert.deepEqual(await second, ['outer+0x0']);
  });

  it('is asked again after half a minute for what it did not have', async () => {
    const { file, clock, symbols } = symbolsOf(SYMBOLS);
    const late = 0xffffffffc1000004n;
    assert.deepEqual(await told(symbols, late), ['0xffffffffc1000004']);
    writeFileSync(file, `${SYMBOLS}ffffffffc1000000 t init\t[late]\n`);
    clock.now += 29_000;
    assert.deepEqual(await told(symbols, late), ['0xffffffffc1000004']);
    assert.equal(symbols.passes, 1);
    clock.now += 1_000;
    assert.deepEqual(await told(symbols, late), ['init+0x4 [late]']);
  });

  it('is asked again after minutes for what is in a module, never for the image', async () => {
    const { file, clock, symbols } = symbolsOf(SYMBOLS);
    await told(symbols, HOOK, INNER);
    writeFileSync(file, 'ffffffff80000000 T _text\nffffffffc0000000 t other\t[instead]\n');
    clock.now += 299_000;
    assert.deepEqual(await told(symbols, HOOK, INNER), ['hook+0x0 [nf_tables]', '_stext+0x100']);
    assert.equal(symbols.passes, 1);
    clock.now += 1_000;
    assert.deepEqual(await told(symbols, HOOK, INNER), ['other+0x0 [instead]', '_stext+0x100']);
  });
});

describe('bounds', () => {
  it('what was asked for longest ago is forgotten first', async () => {
    const { symbols } = symbolsOf(SYMBOLS, 2);
    await told(symbols, INNER);
    await told(symbols, OUTER);
    await told(symbols, INNER);
    await told(symbols, HOOK);
    assert.equal(symbols.passes, 3);
    await told(symbols, INNER);
    assert.equal(symbols.passes, 3);
    await told(symbols, OUTER);
    assert.equal(symbols.passes, 4);
  });

  it('a stack longer than the memory is resolved nevertheless', async () => {
    const { symbols } = symbolsOf(SYMBOLS, 1);
    const stack = Array.from({ length: 20 }, (_, n) => INNER + BigInt(n));
    const frames = await symbols.resolve(stack);
    assert.deepEqual(
      frames.map(({ offset }) => offset),
      stack.map((_, n) => n),
    );
  });

  it('a crowd that waits is bounded, and who is turned away is counted', async () => {
    const { symbols } = symbolsOf(SYMBOLS);
    const crowd = Array.from({ length: 1030 }, () => told(symbols, INNER));
    const lines = (await Promise.all(crowd)).flat();
    assert.equal(symbols.turnedAway, 6);
    assert.equal(lines.filter((line) => line === 'inner+0x0').length, 1024);
    assert.equal(lines.filter((line) => line === '0xffffffff81000100').length, 6);
  });

  it('a file of any length takes no memory that grows with it', async () => {
    const line = (n: number) => `ffffffff8${n.toString(16).padStart(7, '0')} t function_${n}\n`;
    const file = fileWith(Array.from({ length: 400_000 }, (_, n) => line(n)).join(''));
    const symbols = new KernelSymbols({ file });
    const held = () => {
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const before = held();
    let most = 0;
    let done = false;
    const resolved = told(symbols, 0xffffffff80012345n).finally(() => {
      done = true;
    });
    while (!done) {
      most = Math.max(most, held() - before);
      await setImmediate();
    }
    assert.deepEqual(await resolved, ['function_74565+0x0']);
    assert.ok(most < 6 * 2 ** 20, `${most} bytes for a file of 13 MB`);
  });
});

describe('why there are no names', () => {
  const HIDDEN = SYMBOLS.replace(/^[0-9a-f]{16}/gm, '0'.repeat(16));

  it('hidden addresses, until the kernel shows them', async () => {
    const { file, clock, symbols } = symbolsOf(HIDDEN);
    assert.match(symbols.reason ?? '', /hides .*kptr_restrict.*CAP_SYSLOG/);
    assert.deepEqual(await told(symbols, INNER), ['0xffffffff81000100']);
    assert.equal(symbols.passes, 0);
    writeFileSync(file, SYMBOLS);
    clock.now += 30_000;
    assert.deepEqual(await told(symbols, INNER), ['inner+0x0']);
    assert.equal(symbols.reason, undefined);
  });

  it('addresses that are hidden later', async () => {
    const { file, clock, symbols } = symbolsOf(SYMBOLS);
    writeFileSync(file, HIDDEN);
    assert.deepEqual(await told(symbols, INNER), ['0xffffffff81000100']);
    assert.match(symbols.reason ?? '', /hides/);
    writeFileSync(file, SYMBOLS);
    clock.now += 30_000;
    assert.deepEqual(await told(symbols, INNER), ['inner+0x0']);
  });

  it('a file that is not there, or goes', async () => {
    const { file, symbols } = symbolsOf(SYMBOLS);
    rmSync(file);
    assert.deepEqual(await told(symbols, INNER), ['0xffffffff81000100']);
    assert.match(symbols.reason ?? '', /kallsyms-\d+ cannot be read: .*ENOENT/);
    assert.match(new KernelSymbols({ file }).reason ?? '', /ENOENT/);
    assert.match(new KernelSymbols({ file: folder }).reason ?? '', /EISDIR/);
  });
});

describe('closing', () => {
  it('answers who waits, with what is known', async () => {
    const { symbols } = symbolsOf(SYMBOLS);
    await told(symbols, INNER);
    const waiting = told(symbols, INNER, OUTER);
    symbols.close();
    assert.deepEqual(await waiting, ['inner+0x0', '0xffffffff81000200']);
    assert.deepEqual(await told(symbols, OUTER), ['0xffffffff81000200']);
    symbols.close();
    assert.equal(symbols.passes, 1);
  });

  it('ends a pass that is under way', async () => {
    const { symbols } = symbolsOf(SYMBOLS);
    const asked = told(symbols, INNER);
    await setImmediate();
    symbols.close();
    assert.equal((await asked).length, 1);
  });
});
