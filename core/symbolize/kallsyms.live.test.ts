/** The running kernel's symbols, against the same file read by awk. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { KernelSymbols } from './kallsyms.js';

const symbols = new KernelSymbols();
const skip = symbols.reason ?? false;

/** Of lines `target`, the first of the highest symbols at or below each, code before data. */
const NEAREST = `
  NR == FNR { target[++n] = $1; next }
  { code = $2 ~ /^[tTwW]$/
    for (i = 1; i <= n; i++)
      if ($1 "" <= target[i] "" && ($1 "" > best[i] "" || ($1 == best[i] && code && !isCode[i]))) {
        best[i] = $1; isCode[i] = code; name[i] = $3; module[i] = $4 } }
  END { for (i = 1; i <= n; i++) print target[i], best[i], isCode[i], name[i], module[i] }`;

/** Every so many lines an address, a little behind where the symbol begins. */
function sample(): bigint[] {
  const lines = readFileSync('/proc/kallsyms', 'latin1').trim().split('\n');
  const code = lines.filter((line) => /^[89a-f]\w{15} [tTwW] /.test(line));
  const step = Math.ceil(code.length / 60);
  const some = code.filter((_, n) => n % step === 0 || n === code.length - 1);
  return some.map((line, n) => BigInt(`0x${line.slice(0, 16)}`) + BigInt(n % 5));
}

test('functions are those that awk finds in /proc/kallsyms', { skip }, async () => {
  const addresses = sample();
  assert.ok(addresses.length >= 50);
  const input = addresses.map((address) => address.toString(16)).join('\n');
  const lines = execFileSync('awk', [NEAREST, '-', '/proc/kallsyms'], { input, encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  assert.equal(lines.length, addresses.length);
  // One by one, because only a stack's first address is looked for as it stands.
  const frames = (await Promise.all(addresses.map((address) => symbols.resolve([address])))).flat();
  for (const [n, [target = '', start = '', isCode, name, module = '']] of lines.entries()) {
    const address = BigInt(`0x${target}`);
    const known = isCode === '1' && name !== '_etext' && name !== '_einittext';
    const expected = known
      ? {
          address,
          function: name,
          offset: Number(address - BigInt(`0x${start}`)),
          ...(module === '' ? {} : { module: module.slice(1, -1) }),
        }
      : { address };
    assert.deepEqual(frames[n], expected);
  }
  assert.ok(frames.filter((frame) => frame.function !== undefined).length > addresses.length * 0.9);
  assert.equal(symbols.passes, 1);
});
