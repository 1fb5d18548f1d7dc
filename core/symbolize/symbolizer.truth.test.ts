/** Names, lines and inline chains of compiled programs, against what binutils says of them. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { command } from '../../test/command.js';
import { base, comparer, instructions, oracle, placeOf } from '../../test/fakes/addr2line.js';
import { addressIn, compile, hasProgram, mapOfFile, workshop } from '../../test/fakes/compiled.js';
import { createSymbolizer } from './create-symbolizer.js';

const folder = workshop(after);
const symbolizer = createSymbolizer();
after(() => symbolizer.close());
const compare = comparer(symbolizer);

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

const SCOPES = {
  file: 'scopes.cc',
  text: `#include <cstdlib>
namespace outer { namespace {
struct Shelf { static inline __attribute__((always_inline)) void *take(size_t n) { return malloc(n); } };
} 
static inline __attribute__((always_inline)) void *fill(size_t n) { return Shelf::take(n + 1); }
template <class T> __attribute__((noinline)) void *make(T n) {
  auto add = [](T more) __attribute__((always_inline)) { return fill(more + 2); };
  return add(n);
}
}
int main(int argc, char **) { return outer::make<long>(argc) == nullptr; }
`,
};

it('functions that no linker sees are named with what they are declared in', {
  skip: hasProgram('g++') ? false : 'g++ is missing',
}, async () => {
  const program = compile(folder, 'scopes', SCOPES, 'g++', ['-g', '-O2']);
  const map = mapOfFile(program);
  const asked = instructions(program, 1e6).map((address) => addressIn(map, address));
  const stacks = [...(await symbolizer.symbolize(map, asked)).values()];
  const names = stacks.find((frames) => frames.length === 4)?.map((frame) => frame.function ?? '');
  const [take, fill, lambda, make] = names ?? [];
  assert.equal(take, 'outer::(anonymous namespace)::Shelf::take');
  assert.equal(fill, 'outer::fill');
  assert.match(lambda ?? '', /make.*operator\(\)/);
  assert.match(make ?? '', /outer::make<long>\(long\)/);
});

describe('debug files', () => {
  /** Source lines of `outer`'s call of malloc, found without lines in the file itself. */
  async function lineOf(program: string, unstripped: string): Promise<string[]> {
    const map = mapOfFile(program);
    const [address] = instructions(unstripped, 1e6).filter((one) => {
      const places = oracle(unstripped, [one])[0] ?? [];
      return places.length === 3 && places[0]?.name === 'inner';
    });
    assert.ok(address !== undefined);
    const [frames = []] = (await symbolizer.symbolize(map, [addressIn(map, address)])).values();
    return frames.map((frame) => `${frame.function} ${base(placeOf(frame))}`);
  }
  const EXPECTED = /^inner program\.c:\d+,middle program\.c:\d+,outer program\.c:\d+$/;

  function split(name: string, ...options: string[]) {
    const at = join(folder, name);
    mkdirSync(at);
    const unstripped = compile(at, 'program', C, 'gcc', ['-g', '-O2', ...options]);
    const program = join(at, 'stripped');
    const debug = join(at, 'program.debug');
    command('objcopy', ['--only-keep-debug', unstripped, debug]);
    command('objcopy', ['--strip-all', unstripped, program]);
    const link = () => command('objcopy', [`--add-gnu-debuglink=${debug}`, program]);
    return { at, unstripped, program, debug, link };
  }

  it('by its link, checked by the sum', async () => {
    const { unstripped, program, link } = split('link', '-Wl,--build-id=none');
    link();
    assert.match((await lineOf(program, unstripped)).join(), EXPECTED);
  });

  it('in .debug beside it', async () => {
    const { at, unstripped, program, debug, link } = split('dotdebug');
    link();
    mkdirSync(join(at, '.debug'));
    renameSync(debug, join(at, '.debug', 'program.debug'));
    assert.match((await lineOf(program, unstripped)).join(), EXPECTED);
  });

  it('of another program is not believed', async () => {
    for (const [n, id] of ['-Wl,--build-id=none', '-Wl,--build-id'].entries()) {
      const { unstripped, program, debug, link } = split(`other${n}`, id);
      link();
      const wrong = compile(folder, `wrong${n}`, C, 'gcc', ['-g', '-O1', id]);
      copyFileSync(wrong, debug);
      assert.deepEqual(await lineOf(program, unstripped), ['undefined ??:?']);
    }
  });

  const skip = process.getuid?.() === 0 ? false : 'writing to /usr/lib/debug takes root';
  it('by build id', { skip }, async (context) => {
    const { unstripped, program, debug } = split('id');
    const [module] = mapOfFile(program).modules;
    const id = module?.buildId ?? '';
    const place = `/usr/lib/debug/.build-id/${id.slice(0, 2)}/${id.slice(2)}.debug`;
    const made = mkdirSync(dirname(place), { recursive: true });
    context.after(() => rmSync(made ?? place, { recursive: true }));
    copyFileSync(debug, place);
    assert.match((await lineOf(program, unstripped)).join(), EXPECTED);
  });

  const noDwz = hasProgram('dwz') ? false : 'dwz is missing';
  it('what several of them share (dwz)', { skip: noDwz }, async () => {
    const at = join(folder, 'dwz');
    mkdirSync(at);
    const options = ['-gdwarf-4', '-O2', '-Wl,--build-id'];
    const programs = ['one', 'two'].map((name) => compile(at, name, CXX, 'g++', options));
    command('dwz', ['-m', 'shared.debug', ...programs], { cwd: at });
    for (const program of programs) {
      assert.match(command('readelf', ['-S', program]), /gnu_debugaltlink/);
      assert.ok((await compare(program)) > 100);
    }
  });
});
