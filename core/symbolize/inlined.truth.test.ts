/** Inline chains in functions that stand in namespaces, types and other functions, by binutils. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { command } from '../../test/command.js';
import { comparer, instructions } from '../../test/fakes/addr2line.js';
import { addressIn, compile, hasProgram, mapOfFile, workshop } from '../../test/fakes/compiled.js';
import { createSymbolizer } from './create-symbolizer.js';

const folder = workshop(after);
const symbolizer = createSymbolizer();
after(() => symbolizer.close());
const compare = comparer(symbolizer);

const CXX = {
  file: 'nested.cc',
  text: `extern "C" void *malloc(unsigned long);
#define INLINE inline __attribute__((always_inline))
#define APART __attribute__((noinline))
namespace outer {
template <class T> struct Shelf {
  static INLINE void *take(T n) { return malloc(n); }
  INLINE void *put(T n) {
    struct Deep { static INLINE void *get(T m) { return take(m + 7); } };
    return Deep::get(n);
  }
};
union Either { INLINE void *put(long n) { return Shelf<long>().put(n + 5); } long number; };
namespace inner {
static APART void *fill(long n) {
  Either either;
  char *memory = static_cast<char *>(either.put(n + 1));
  memory[0] = 1;
  return memory;
}
}
class Keeper {
public:
  APART void *keep(long n) {
    char *memory = static_cast<char *>(Shelf<int>().put(int(n)));
    memory[1] = 2;
    return memory;
  }
};
}
int main(int argc, char **) {
  outer::Keeper keeper;
  return outer::inner::fill(argc) == keeper.keep(argc);
}
`,
};
const C = {
  file: 'nested.c',
  text: `#include <stdlib.h>
static inline __attribute__((always_inline)) char *get(int n) { return malloc(n); }
int main(int argc, char **argv) {
  char *all[100];
  __attribute__((noinline)) char *nested(int n) {
    char *memory = get(n + argc);
    memory[0] = 1;
    return memory;
  }
#pragma omp parallel for
  for (int i = 0; i < 100; i++)
    all[i] = get(i + argc);
  return nested(argc) == all[3];
}
`,
};
const RUST = {
  file: 'nested.rs',
  text: `use std::rc::Rc;
pub enum Kind { Box(u64), Rc(u64) }
impl Kind {
    #[inline(always)]
    fn take(&self) -> usize {
        match self {
            Kind::Box(n) => Box::leak(Box::new([*n; 10])).len(),
            Kind::Rc(n) => Rc::into_raw(Rc::new(*n)) as usize,
        }
    }
}
mod deep {
    pub mod er {
        #[inline(never)]
        pub fn leak(kind: &crate::Kind) -> usize {
            kind.take() + vec![7u8; 120].leak().len()
        }
    }
}
fn main() {
    let count = std::env::args().count() as u64;
    std::process::exit((deep::er::leak(&Kind::Box(count)) + deep::er::leak(&Kind::Rc(count))) as i32);
}
`,
};

/** How many frames the deepest chain of a function has, by our own word. */
async function deepest(program: string, symbol: RegExp): Promise<number> {
  const line =
    command('nm', ['-S', program])
      .split('\n')
      .find((one) => symbol.test(one)) ?? '';
  const [start = 0n, size = 0n] = line.split(' ', 2).map((hex) => BigInt(`0x${hex}`));
  const map = mapOfFile(program);
  const inside = instructions(program, 1e6).filter((one) => one >= start && one < start + size);
  const asked = inside.map((address) => addressIn(map, address));
  const stacks = [...(await symbolizer.symbolize(map, asked)).values()];
  return Math.max(0, ...stacks.map((frames) => frames.length));
}

const lack = (compiler: string) => (hasProgram(compiler) ? false : `${compiler} is missing`);

describe('inline chains are whole in functions that are declared in something', () => {
  for (const compiler of ['g++', 'clang++']) {
    for (const version of ['-gdwarf-4', '-gdwarf-5']) {
      it(`C++, ${compiler} ${version}`, { skip: lack(compiler) }, async () => {
        const program = compile(folder, `${compiler}${version}`, CXX, compiler, [version, '-O2']);
        assert.ok((await compare(program, 1e6)) > 20);
        assert.equal(await deepest(program, /5inner.*4fill/), 5);
      });
    }
  }

  it('C, functions within functions and of OpenMP', { skip: lack('gcc') }, async () => {
    const program = compile(folder, 'c', C, 'gcc', ['-g', '-O2', '-fopenmp']);
    assert.ok((await compare(program, 1e6)) > 20);
    assert.equal(await deepest(program, / main\._omp_fn/), 2);
  });

  it('Rust', { skip: lack('rustc') }, async () => {
    const program = compile(folder, 'rust', RUST, 'rustc', ['-g', '-C', 'opt-level=2']);
    assert.ok((await deepest(program, /4deep2er4leak/)) > 5);
    assert.ok((await compare(program, 2000)) > 500);
  });
});
