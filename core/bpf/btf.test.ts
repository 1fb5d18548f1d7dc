import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MemWatcherError } from '../errors.js';
import { Btf } from './btf.js';
import { elfSection } from './elf.js';
import { structLayout } from './struct.js';

const FILE = fileURLToPath(new URL('../../bpf/kit.bpf.o', import.meta.url));
const object = readFileSync(FILE);

test('the structs of a compiled object are as bpftool says', (context) => {
  let dump: { types: { kind: string; name: string; size?: number }[] };
  try {
    dump = JSON.parse(execFileSync('bpftool', ['-j', 'btf', 'dump', 'file', FILE]).toString());
  } catch (error) {
    context.skip(`bpftool is missing: ${error}`);
    return;
  }
  const btf = Btf.ofObject(object);
  assert.equal(btf.types.length, dump.types.length + 1);
  for (const [index, theirs] of dump.types.entries()) {
    const ours = btf.type(index + 1);
    if (theirs.kind !== 'STRUCT') continue;
    assert.equal(ours.kind, 'struct');
    if (ours.kind !== 'struct') continue;
    assert.equal(ours.name || '(anon)', theirs.name);
    assert.equal(ours.size, theirs.size);
  }
});

test('globals are found by section', () => {
  const btf = Btf.ofObject(object);
  assert.deepEqual([...btf.globals('.rodata').keys()].sort(), ['factor', 'negate', 'offset']);
  assert(btf.globals('.maps').has('slots'));
});

test('what is no ELF file, or has no BTF, is refused', () => {
  const invalid = (error: unknown) =>
    error instanceof MemWatcherError && error.code === 'BTF_INVALID';
  assert.throws(() => Btf.ofObject(new Uint8Array(10)), invalid);
  assert.throws(() => Btf.ofObject(readFileSync('/bin/true')), invalid);
  assert.throws(() => Btf.ofObject(object.subarray(0, 2000)), invalid);
  assert.throws(() => Btf.parse(new Uint8Array(0)), invalid);
});

test('damaged BTF ends in a coded error or in a layout, never in a crash', () => {
  const section = elfSection(object, '.BTF');
  assert(section);
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  let refused = 0;
  for (let round = 0; round < 2000; round++) {
    // Copied: slice() of a Buffer is a view, and every round would damage the next.
    const end = round % 3 === 0 ? random(section.length) : section.length;
    const damaged = Uint8Array.from(section.subarray(0, end));
    for (let flips = random(4); flips >= 0; flips--) damaged[random(damaged.length)] = random(256);
    try {
      structLayout(Btf.parse(damaged), 'kit_slot');
    } catch (error) {
      assert(error instanceof MemWatcherError, String(error));
      refused++;
    }
  }
  assert(refused > 500 && refused < 2000, `${refused} of 2000 refused`);
});
