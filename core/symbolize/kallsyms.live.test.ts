/** The running kernel's symbols, against the same file read by awk. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { KernelSymbols } from './kallsyms.js';

const symbols = new KernelSymbols();
const skip = symbols.reason ?? false;

/**
 * Symbols and, behind those of the same address, the targets, in the order of addresses: of each target
 * the symbol before it, of several at one address the first, code before data.
 */
const NEAREST = `cat /proc/kallsyms - | LC_ALL=C sort -s -k1,1 | awk '
  $2 == "target" { print $1, start, code, name, module; next }
  { isCode = $2 ~ /^[tTwW]$/ }
  $1 "" != start "" || (isCode && !code) { start = $1; code = isCode; name = $3; module = $4 }'`;

/** Every so many lines an address, a little behind where the symbol begins. */
function sample(): bigint[] {
  const lines = readFileSync('/proc/kallsyms', 'latin1').trim().split('\n');
  // BPF programs come and go while this runs.
  const code = lines.filter((line) => /^[89a-f]\w{15} [tTwW] (?!.*\[bpf\])/.test(line));
  const step = Math.ceil(code.length / 60);
  const some = code.filter((_, n) => n % step === 0 || n === code.length - 1);
  return some.map((line, n) => BigInt(`0x${line.slice(0, 16)}`) + BigInt(n % 5));
}

test('functions are those that awk finds in /proc/kallsyms', { skip }, async () => {
  const addresses = sample();
  assert.ok(addresses.length >= 50);
  const input = addresses.map((address) => `${address.toString(16)} target\n`).join('');
  const lines = execFileSync('sh', ['-c', NEAREST], { input, encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  assert.equal(lines.length, addresses.length);
  // One by one, because only a stack's first address is looked for as it stands.
  const frames = (
    await Promise.all(lines.map(([target]) => symbols.resolve([BigInt(`0x${target}`)])))
  ).flat();
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
