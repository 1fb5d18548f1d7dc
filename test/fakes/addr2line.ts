/** What binutils says of addresses in programs, and how it compares with what is said here. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import type { Frame } from '../../core/symbolize/frame.js';
import type { Symbolizer } from '../../core/symbolize/symbolizer.js';
import { command } from '../command.js';
import { addressIn, mapOfFile } from './compiled.js';

export interface Place {
  readonly name: string;
  readonly place: string;
}

/** What \`addr2line -i -f\` prints, innermost first. */
export function oracle(program: string, addresses: readonly bigint[]): Place[][] {
  const text = addresses.map((address) => address.toString(16)).join('\n');
  const args = ['-a', '-i', '-f', '-C', '-e', program];
  const { stdout } = spawnSync('addr2line', args, {
    input: text,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return stdout
    .split(/^0x[0-9a-f]+$/m)
    .slice(1)
    .map((block) => {
      const lines = block.trim().split('\n');
      return lines.flatMap((name, n) => {
        const place = (lines[n + 1] ?? '').replace(/ \(discriminator \d+\)$/, '');
        return n % 2 === 0 ? [{ name, place }] : [];
      });
    });
}

/** Addresses of instructions, without the padding between functions. */
export function instructions(program: string, most: number): bigint[] {
  const text = command('objdump', ['-d', '--no-show-raw-insn', '-j', '.text', program]);
  const all = [...text.matchAll(/^\s+([0-9a-f]+):\t(?!.*nop|xchg +%ax)/gm)].map(([, hex]) =>
    BigInt(`0x${hex}`),
  );
  const step = Math.max(1, Math.floor(all.length / most));
  return all.filter((_, n) => n % step === 0);
}

export const placeOf = ({ file, line }: Frame) =>
  file === undefined ? '??:0' : `${file}:${line ?? '?'}`;
export const base = (place: string) => place.replace(/^.*\//, '').replace(/:0$/, ':?');
/** Binutils names what DWARF has no full name of as it stands there; arguments are the same. */
const bare = (name: string) =>
  name
    .replace(/\(.*\)( const)?( \[clone.*\])?$/, '')
    .replace(/^.*::/, '')
    .replace(/^.* /, '');

/** Asserts of instructions all over a program that what is said of them is true; gives how many. */
export const comparer =
  (symbolizer: Pick<Symbolizer, 'symbolize'>) =>
  async (program: string, most = 400): Promise<number> => {
    const map = mapOfFile(program);
    const addresses = instructions(program, most);
    const asked = new Map(addresses.map((address) => [addressIn(map, address), address]));
    const answers = await symbolizer.symbolize(map, [...asked.keys()]);
    const expected = oracle(program, addresses);
    let compared = 0;
    for (const [n, address] of addresses.entries()) {
      const truth = expected[n] ?? [];
      // Padding and what the linker brought: binutils names what happens to be before.
      if (truth.some(({ place }) => !/:\d+$/.test(place) || place.endsWith(':0'))) continue;
      const frames = answers.get(addressIn(map, address)) ?? [];
      const at = `${program} 0x${address.toString(16)}`;
      const found = frames.map(
        (frame) => `${bare(frame.function ?? '??')} ${base(placeOf(frame))}`,
      );
      const known = truth.map(({ name, place }, k) => {
        // Of a lambda binutils says the function that it stands in.
        const isLambda = frames[k]?.function?.endsWith('operator()') === true;
        return `${isLambda ? bare('operator()') : bare(name)} ${base(place)}`;
      });
      assert.deepEqual(found, known, at);
      assert.deepEqual(
        frames.map(({ inlined }) => inlined),
        frames.map((_, k) => k < frames.length - 1),
        at,
      );
      compared++;
    }
    return compared;
  };
