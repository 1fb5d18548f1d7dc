/** Stacks as BPF reads them, named by us, against the names that the kernel gives to the same ones. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createBpfHost } from '../bpf/libbpf.js';
import { formatKernelStack, KernelSymbols } from './kallsyms.js';

const FILE = fileURLToPath(new URL('../../bpf/stacks.bpf.o', import.meta.url));
const symbols = new KernelSymbols();
const skip = symbols.reason ?? false;
/** Until it sleeps; a guest without help of the hardware takes its time. */
const LOOKS = 10_000;

/** `[<0>] function+0x1c/0x40 [module]`, without what we do not say. */
function stackOf(pid: number): string {
  const text = readFileSync(`/proc/${pid}/stack`, 'utf8').trim();
  return text.replace(/^\[<0>\] /gm, '').replace(/\/0x[0-9a-f]+/g, '');
}

/** The same stack, innermost first; empty if the task runs. */
function addressesOf(pid: number): bigint[] {
  const object = createBpfHost().open(FILE);
  try {
    object.setConstant('wanted', pid);
    object.load();
    const bytes = Uint8Array.from(object.attach('read_stack').readAll());
    const frames = [...new BigUint64Array(bytes.buffer)];
    const end = frames.indexOf(0n);
    return end < 0 ? frames : frames.slice(0, end);
  } finally {
    object.close();
  }
}

/** Once it sleeps where `pattern` says. */
async function sleeping(context: TestContext, child: ChildProcess, pattern: RegExp) {
  context.after(() => child.kill('SIGKILL'));
  const { pid } = child;
  assert.ok(pid !== undefined);
  let stack = stackOf(pid);
  for (let looks = 0; looks < LOOKS && !pattern.test(stack); looks++) {
    await setTimeout(5);
    stack = stackOf(pid);
  }
  assert.match(stack, pattern);
  return pid;
}

const SLEEPERS = {
  'a timer': { command: ['sleep', '1000'], pattern: /nanosleep/ },
  input: { command: ['cat'], pattern: /_read/ },
} as const;

for (const [what, { command, pattern }] of Object.entries(SLEEPERS)) {
  test(`a stack that waits for ${what} reads as the kernel says it`, { skip }, async (context) => {
    const [file, ...given] = command;
    const child = spawn(file, given, { stdio: ['pipe', 'ignore', 'ignore'] });
    const pid = await sleeping(context, child, pattern);
    const addresses = addressesOf(pid);
    const frames = await symbols.resolve(addresses);
    assert.ok(frames.length >= 4, `${frames.length} frames`);
    assert.equal(formatKernelStack(frames), stackOf(pid));
  });
}
