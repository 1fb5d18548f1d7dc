/** Names, lines and inline chains of compiled programs, against what binutils says of them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { command } from '../../test/command.js';
import { addressIn, compile, hasProgram, mapOfFile, workshop } from '../../test/fakes/compiled.js';
import { createSymbolizer } from './create-symbolizer.js';
import type { Frame } from './frame.js';

const folder = workshop(after);
const symbolizer = createSymbolizer();
after(() => symbolizer.close());

const C = {
  file: 'program.c',
  text: `#include <stdlib.h>
#include <stdio.h>
static int deep(int n) { return n < 2 ? n : deep(n - 1) + deep(n - 2); }
static inline __attribute__((always_inline)) void *inner(size_t n) {
  void *memory = malloc(n);
  if (!memory)
    abort();
  return memory;
}
static inline __attribute__((always_inline)) void *middle(size_t n) {
  char *memory = inner(n + 1);
  memory[0] = 1;
  return memory;
}
__attribute__((noinline)) void *outer(size_t n) {
  for (size_t i = 0; i < n; i++)
    if (i == 7)
      return middle(i);
  return middle(n);
}
int main(int argc, char **argv) {
  printf("%p %d\\n", outer(argc), deep(argc + 3));
  return argv[0] == 0;
}
`,
};
const CXX = {
  file: 'program.cc',
  text: `#include <cstdio>
#include <map>
#include <string>
#include <vector>
namespace shop {
template <class Key> class Index {
public:
  void add(Key key, const std::string &text) { entries[key].push_back(text); }
  std::map<Key, std::vector<std::string>> entries;
};
struct Base { virtual ~Base() = default; virtual int price() const = 0; };
struct Item : Base { int price() const override { return value * 3; } int value = 2; };
int total(const Base &base) { return base.price() + 1; }
}
int main(int argc, char **argv) {
  shop::Index<int> index;
  for (int i = 0; i < argc; i++) index.add(i, argv[i]);
  shop::Item item;
  auto scale = [&](int by) { return by * shop::total(item); };
  std::printf("%zu %d\\n", index.entries.size(), scale(argc));
}
`,
};

interface Place {
  readonly name: string;
  readonly place: string;
}

/** What \`addr2line -i -f\` prints, innermost first. */
function oracle(program: string, addresses: readonly bigint[]): Place[][] {
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

/** Addresses of instructions of functions that the sources have. */
function instructions(program: string, most: number): bigint[] {
  const text = command('objdump', ['-d', '--no-show-raw-insn', '-j', '.text', program]);
  const all = [...text.matchAll(/^\s+([0-9a-f]+):\t/gm)].map(([, hex]) => BigInt(`0x${hex}`));
  const step = Math.max(1, Math.floor(all.length / most));
  return all.filter((_, n) => n % step === 0);
}

const placeOf = ({ file, line }: Frame) => (file === undefined ? '??:0' : `${file}:${line ?? '?'}`);
const base = (place: string) => place.replace(/^.*\//, '').replace(/:0$/, ':?');
/** Binutils names what DWARF has no full name of as it stands there; arguments are the same. */
const bare = (name: string) =>
  name
    .replace(/\(.*\)( const)?( \[clone.*\])?$/, '')
    .replace(/^.*::/, '')
    .replace(/^.* /, '');

async function compare(program: string, most = 400): Promise<number> {
  const map = mapOfFile(program);
  const addresses = instructions(program, most);
  const asked = new Map(addresses.map((address) => [addressIn(map, address), address]));
  const answers = await symbolizer.symbolize(map, [...asked.keys()]);
  const expected = oracle(program, addresses);
  let compared = 0;
  for (const [n, address] of addresses.entries()) {
    const truth = expected[n] ?? [];
    if (truth.every(({ place }) => place.startsWith('??'))) continue;
    const frames = answers.get(addressIn(map, address)) ?? [];
    const at = `${program} 0x${address.toString(16)}`;
    assert.deepEqual(
      frames.map((frame) => `${bare(frame.function ?? '??')} ${base(placeOf(frame))}`),
      truth.map(({ name, place }) => `${bare(name)} ${base(place)}`),
      at,
    );
    assert.deepEqual(
      frames.map(({ inlined }) => inlined),
      frames.map((_, k) => k < frames.length - 1),
      at,
    );
    compared++;
  }
  return compared;
}

const WAYS: Readonly<Record<string, readonly [compiler: string, ...options: string[]]>> = {
  'gcc -O0': ['gcc', '-g', '-O0'],
  'gcc -O2': ['gcc', '-g', '-O2'],
  'gcc -O2 with frame pointers': ['gcc', '-g', '-O2', '-fno-omit-frame-pointer'],
  'gcc, DWARF 4': ['gcc', '-gdwarf-4', '-O2'],
  'gcc, not position independent': ['gcc', '-g', '-O2', '-no-pie'],
  'gcc, compressed sections': ['gcc', '-g', '-O2', '-gz=zlib'],
  'clang -O2': ['clang', '-g', '-O2'],
  'clang, DWARF 4': ['clang', '-gdwarf-4', '-O2'],
};

describe('a C program is read as binutils reads it', () => {
  for (const [way, [compiler, ...options]] of Object.entries(WAYS)) {
    const skip = hasProgram(compiler) ? false : `${compiler} is missing`;
    it(way, { skip }, async () => {
      const program = compile(folder, `c ${way}`.replaceAll(' ', '-'), C, compiler, options);
      assert.ok((await compare(program)) > 20);
    });
  }
});

describe('a C++ program is read as binutils reads it', () => {
  for (const [way, options] of Object.entries({ '-O0': ['-g', '-O0'], '-O2': ['-g', '-O2'] })) {
    const skip = hasProgram('g++') ? false : 'g++ is missing';
    it(way, { skip }, async () => {
      const program = compile(folder, `cc${way}`, CXX, 'g++', options);
      assert.ok((await compare(program)) > 100);
    });
  }
});

void [copyFileSync, mkdirSync, readFileSync, renameSync, dirname, join];
