/** The running kernel's symbols, against the same file sorted and looked through. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { KernelSymbols } from './kallsyms.js';

const symbols = new KernelSymbols();
const skip = symbols.reason ?? false;

interface Line {
  readonly address: string;
  readonly isCode: boolean;
  readonly name: string;
  readonly module: string | undefined;
}

/** Every line, by address; of several at one address the first is first, code before data. */
function readLines(): Line[] {
  const lines = readFileSync('/proc/kallsyms', 'latin1').trim().split('\n');
  const parsed = lines.map((line): Line => {
    const [address = '', type = '', name = '', module] = line.split(/\s+/);
    return { address, isCode: /[tTwW]/.test(type), name, module: module?.slice(1, -1) };
  });
  const order = (a: Line, b: Line) => Number(b.isCode) - Number(a.isCode);
  return parsed.sort((a, b) =>
    a.address === b.address ? order(a, b) : a.address < b.address ? -1 : 1,
  );
}

const END = /^_e(init)?text$/;

test('functions are those that a plain look at /proc/kallsyms finds', { skip }, async () => {
  const lines = readLines();
  // BPF programs come and go while this runs.
  const code = lines.filter(({ address, isCode, module }) => {
    return isCode && module !== 'bpf' && /^[89a-f]/.test(address);
  });
  const some = code.filter(
    (_, n) => n % Math.ceil(code.length / 60) === 0 || n === code.length - 1,
  );
  const addresses = some.map(({ address }, n) => BigInt(`0x${address}`) + BigInt(n % 5));
  // One by one, because only a stack's first address is looked for as it stands.
  const stacks = await Promise.all(addresses.map((address) => symbols.resolve([address])));
  for (const [n, address] of addresses.entries()) {
    const text = address.toString(16).padStart(16, '0');
    const below = lines.findLast((line) => line.address <= text);
    const nearest = lines.find((line) => line.address === below?.address);
    assert.ok(nearest);
    const { name, module, isCode } = nearest;
    const offset = Number(address - BigInt(`0x${nearest.address}`));
    const known = { address, function: name, offset, ...(module !== undefined && { module }) };
    assert.deepEqual(stacks[n], [isCode && !END.test(name) ? known : { address }]);
  }
  const named = stacks.filter(([frame]) => frame?.function !== undefined);
  assert.ok(named.length >= 50, `${named.length} of ${addresses.length}`);
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
