/** A process of more libraries than most: a stack through all of them is whole. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { workshop } from '../../../test/fakes/compiled.js';
import { Reading } from './testing/reading.js';

const LIBRARIES = 100;
/** Of them, of a stack: as deep as one may be by default is 64. */
const STEPS = 50;
const LIBRARY = `#include <stdlib.h>
typedef void *(*step_t)(void *const *, int);
void *step(void *const *steps, int left) {
  void *made = left == 0 ? malloc(64) : ((step_t)steps[left - 1])(steps, left - 1);
  __asm__ volatile("" : "+r"(made));
  return made;
}
`;
const PROGRAM = `#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
void *kept[100000];
int main(int argc, char **argv) {
  void *steps[${LIBRARIES}];
  for (int n = 1; n < argc; n++) steps[n - 1] = dlsym(dlopen(argv[n], RTLD_NOW), "step");
  puts("ready"), fflush(stdout);
  for (int n = 0;; n++, usleep(100 * 1000))
    for (int first = 0; first < ${LIBRARIES}; first += ${STEPS})
      kept[n++ % 100000] = ((void *(*)(void **, int))steps[first + ${STEPS} - 1])(steps + first, ${STEPS} - 1);
}
`;

const skip = process.getuid?.() === 0 ? false : 'root is needed to probe the functions of others';

test('stacks through a hundred libraries are whole', { skip }, async (t) => {
  const dir = workshop(after);
  const at = (name: string) => join(dir, name);
  writeFileSync(at('step.c'), LIBRARY);
  writeFileSync(at('many.c'), PROGRAM);
  execFileSync('cc', ['-O1', '-fPIC', '-shared', '-o', at('step.so'), at('step.c')]);
  execFileSync('cc', ['-O1', '-o', at('many'), at('many.c'), '-ldl']);
  const libraries = Array.from({ length: LIBRARIES }, (_, n) => at(`step-${n}.so`));
  for (const library of libraries) copyFileSync(at('step.so'), library);
  const target = Reading.of(t, at('many'), libraries);
  await target.until(/ready/);
  const cli = Reading.cli(t, 'leaks', '--pid', String(target.pid), '-d', '3s', '-f', 'json');
  assert.equal(await cli.closed, 0, cli.errors);
  const lines = cli.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const stacks = lines.filter(({ frames }) => frames?.[0]?.function === 'step');
  assert.equal(stacks.length, LIBRARIES / STEPS, cli.text + cli.errors);
  for (const { frames } of stacks) {
    const names = frames.map((frame: { function: string }) => frame.function);
    assert.equal(names.filter((name: string) => name === 'step').length, STEPS);
    assert.ok(names.includes('main'));
  }
});
