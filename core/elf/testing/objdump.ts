/** Instructions and symbols as binutils read them: who tells the truth in tests of this folder. */
import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const DIRECTORY = '/usr/lib/x86_64-linux-gnu';

/** Allocators, and what is large; those that a machine lacks are left out by the tests. */
export const LIBRARIES = [
  'libc.so.6',
  'libstdc++.so.6',
  'libjemalloc.so.2',
  'libtcmalloc_minimal.so.4',
  'libmimalloc.so.2.0',
].map((name) => `${DIRECTORY}/${name}`);

export const hasObjdump = (() => {
  try {
    execFileSync('objdump', ['--version'], { stdio: 'ignore' });
    return process.arch === 'x64';
  } catch {
    return false;
  }
})();

export interface Disassembled {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** Every instruction, or those from `start` to `end`. */
export async function* disassemble(
  file: string,
  start?: number,
  end?: number,
): AsyncGenerator<Disassembled> {
  const range = [
    ...(start === undefined ? [] : [`--start-address=${start}`]),
    ...(end === undefined ? [] : [`--stop-address=${end}`]),
  ];
  const child = spawn('objdump', ['-d', '--wide', '-z', ...range, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const match = /^\s*([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*\t?(.*)$/.exec(line);
      if (match === null) continue;
      const [, address = '', hex = '', text = ''] = match;
      const bytes = Uint8Array.from(hex.trim().split(' '), (byte) => Number.parseInt(byte, 16));
      yield { address: Number.parseInt(address, 16), bytes, text };
    }
  } finally {
    child.kill();
  }
}
