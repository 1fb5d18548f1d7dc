import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { compile, hasProgram, workshop } from '../../test/fakes/compiled.js';
import { heapBytes } from './heap.js';

/** Says for each size what lies between two neighbours of that size, the smallest of many. */
const PROGRAM = `#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  for (int n = 1; n < argc; n++) {
    size_t size = atoi(argv[n]), least = -1;
    char *last = malloc(size);
    for (int i = 0; i < 2000; i++) {
      char *next = malloc(size);
      size_t apart = next > last ? next - last : last - next;
      if (apart && apart < least) least = apart;
      last = next;
    }
    printf("%zu\\n", least);
  }
}
`;
const SIZES = [0, 1, 8, 16, 24, 25, 40, 56, 64, 100, 128, 129, 200, 300, 500, 1000, 3000];
const LIBRARIES = '/usr/lib/x86_64-linux-gnu';

const skip = hasProgram('gcc') ? false : 'no C compiler: apt-get install gcc';

test('what allocators spend is what lies between two of theirs', { skip }, (t) => {
  const dir = workshop(after);
  const source = { file: 'neighbours.c', text: PROGRAM };
  const program = compile(dir, 'neighbours', source, 'gcc', ['-O0']);
  for (const [family, library] of [
    ['glibc', undefined],
    ['jemalloc', 'libjemalloc.so.2'],
  ] as const) {
    const path = library && join(LIBRARIES, library);
    if (path && !existsSync(path)) {
      t.diagnostic(`${library} is not installed`);
      continue;
    }
    const env = { ...process.env, ...(path && { LD_PRELOAD: path }) };
    const { stdout } = spawnSync(program, SIZES.map(String), { env, encoding: 'utf8' });
    const told = stdout.trim().split('\n').map(Number);
    const reckoned = SIZES.map(
      (size) => heapBytes({ bytes: size * 10, allocations: 10 }, [family]) / 10,
    );
    assert.deepEqual(reckoned, told, family);
  }
});

test('another allocator beside libc’s is the one; nothing takes nothing', () => {
  const one = { bytes: 100, allocations: 1 };
  assert.equal(heapBytes(one, ['glibc']), 112);
  assert.equal(heapBytes(one, ['glibc', 'tcmalloc']), 112);
  assert.equal(heapBytes({ bytes: 1, allocations: 1 }, ['glibc', 'jemalloc']), 8);
  assert.equal(heapBytes({ bytes: 0, allocations: 0 }, []), 0);
});
