import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { helperCalls, programUses } from './instructions.js';

const object = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../bpf/${name}.bpf.o`, import.meta.url)));
const program = (file: string, name: string) => {
  const found = programUses(object(file)).find((uses) => uses.name === name);
  assert.ok(found, `${file} has no ${name}`);
  return found;
};

describe('what a program asks the kernel for', () => {
  test('its section, its own helpers and maps', () => {
    const { section, helpers, maps } = program('procstat', 'on_exit');
    assert.equal(section, 'tp_btf/sched_process_exit');
    assert.deepEqual(helpers, ['bpf_map_delete_elem']);
    assert.deepEqual(maps, ['by_pid']);
  });

  test('what its subprograms ask for counts: global functions, and static ones that they call', () => {
    assert.ok(program('sysstat', 'read_now').helpers.includes('bpf_probe_read_kernel_str'));
    const ends = program('pr', 'btf_direct_reclaim_end');
    assert.ok(ends.helpers.includes('bpf_ringbuf_reserve'));
    assert.ok(ends.maps.includes('spans') && ends.maps.includes('.rodata'));
  });

  test('calls are found where the file has their numbers', () => {
    const bytes = object('procstat');
    const deletes = helperCalls(bytes).filter(({ helper }) => helper === 'bpf_map_delete_elem');
    assert.ok(deletes.length > 0);
    for (const { fileOffset } of deletes) assert.equal(bytes.readInt32LE(fileOffset), 3);
  });
});
