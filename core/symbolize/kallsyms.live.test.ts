/** The running kernel's symbols, against the same file read by awk. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
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

test('without CAP_SYSLOG the reason is what the kernel then shows', (context) => {
  if (process.getuid?.() !== 0) return context.skip('giving up a capability takes root');
  const without = ['--bounding-set=-syslog', '--inh-caps=-syslog', '--'];
  if (spawnSync('setpriv', [...without, 'true']).status !== 0) {
    return context.skip('setpriv of util-linux is missing');
  }
  const run = (...command: string[]) =>
    spawnSync('setpriv', [...without, ...command], { encoding: 'utf8' });
  // Where perf may read addresses (kernel.perf_event_paranoid below 2) everybody may.
  const isShown = run('grep', '-qv', '^0000000000000000 ', '/proc/kallsyms').status === 0;
  const module = new URL('./kallsyms.js', import.meta.url).href;
  const script = `
    const { KernelSymbols } = await import('${module}');
    console.log(new KernelSymbols().reason ?? 'none');`;
  const { stdout, stderr } = run(process.execPath, '--input-type=module', '-e', script);
  assert.match(stdout, isShown ? /^none$/m : /hides the addresses.*CAP_SYSLOG/, stderr);
});
