/** Damaged symbol tables, cut anywhere, against a reader that is slow and plain. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NearestSymbols } from '../../core/symbolize/nearest-symbols.js';
import { random } from './random.js';

const ROUNDS = 3000;

const BASES = [0xffffffff81000000n, 0xffffffffc0000000n, 0xfffffffffffffff0n, 0n, 0x7fffffffn];
const NAMES = ['_etext', 'do_exit', 'a', '__pfx_a', 'x'.repeat(600), 'café', '\x1b[2J', ''];
const PARTS = ['\n', '\t', ' ', '[', ']', '\0', '\xff', 'T', 'ffffffff81000010 t other', '\t[bpf]'];

/** Addresses near one another, so that they meet. */
const addressOf = (below: (limit: number) => number) =>
  BigInt.asUintN(64, (BASES[below(BASES.length)] ?? 0n) + BigInt(below(64)));

function tableOf(below: (limit: number) => number): string {
  const lines = Array.from({ length: below(40) }, () => {
    const address = addressOf(below).toString(16).padStart(16, '0');
    const module = below(3) === 0 ? `\t[m${below(3)}]` : '';
    return `${address} ${'tTwWdDrA'[below(8)]} ${NAMES[below(NAMES.length)]}${module}`;
  });
  let text = lines.join('\n');
  for (let edits = below(4); edits > 0; edits--) {
    const at = below(text.length + 1);
    text = text.slice(0, at) + PARTS[below(PARTS.length)] + text.slice(at + below(3));
  }
  return text;
}

interface Line {
  readonly start: bigint;
  readonly isCode: boolean;
  readonly name: string;
  readonly module: string | undefined;
}

/** The rule, without any care for speed. */
function expected(text: string, target: bigint): Line | undefined {
  let best: Line | undefined;
  for (const line of text.split('\n')) {
    const [, address, type = '', rest = ''] =
      /^([0-9a-f]{1,16}) ([^\n]) ([^\n]+)$/s.exec(line) ?? [];
    const start = BigInt(`0x${address ?? '0'}`);
    if (start === 0n || start > target) continue;
    const [name = '', bracketed = ''] = rest.replace(/[^\t\x21-\x7e]/g, '?').split('\t');
    const module = /^\[(.*)\]$/.exec(bracketed)?.[1];
    const isCode = /[tTwW]/.test(type);
    if (best && (start < best.start || (start === best.start && (best.isCode || !isCode))))
      continue;
    best = { start, isCode, name: name.slice(0, 511), module };
  }
  if (!best?.isCode || ['', '_etext', '_einittext'].includes(best.name)) return undefined;
  return best.module !== undefined && target - best.start >= 2n ** 18n ? undefined : best;
}

test('damaged symbol tables are read as their lines say, however they are cut', () => {
  let named = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const below = random(round + 1);
    const text = tableOf(below);
    const targets = Array.from({ length: below(12) }, () => addressOf(below));
    const search = new NearestSymbols(targets);
    const bytes = Buffer.from(text, 'latin1');
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + below(below(2) === 0 ? 5 : 200);
      const piece = Buffer.from(bytes.subarray(at, at + length));
      search.feed(piece);
      piece.fill(0x0a);
      at += length;
    }
    const found = search.end();
    for (const target of targets) {
      const wanted = expected(text, target);
      const { name, start, module } = found.get(target) ?? {};
      const message = `round ${round}, 0x${target.toString(16)}`;
      assert.equal(name, wanted?.name, message);
      assert.equal(start, wanted?.start, message);
      assert.equal(module, wanted?.module, message);
      if (wanted) named++;
    }
  }
  assert.ok(named > ROUNDS / 2, `${named} addresses had a name`);
});
