import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { Btf } from '../../../core/bpf/btf.js';
import { structLayout } from '../../../core/bpf/struct.js';
import { findInstallation } from '../../../core/install.js';
import { Scope } from '../../../core/scope.js';
import { FakeObject } from '../../../test/fakes/bpf-host.js';
import { CarryingWriter } from '../../../test/fakes/carrying-writer.js';
import { SlotTable } from './slot-table.js';

const FILE = findInstallation(import.meta.url).bpfObject('memleak');
const btf = Btf.ofObject(readFileSync(FILE));
const layoutOf = (struct: string) => structLayout(btf, struct);
const [ARRAY, HASH, QUEUE] = [2, 1, 22];
/** The first slot is the target's own; what is counted there has no stack. */
const OTHERS = 1;
const TARGET = { number: 0, process: { pid: 4711, startTime: 1 } };

const array = (name: string, struct: string) => ({
  name,
  type: ARRAY,
  valueSize: layoutOf(struct).size,
  maxEntries: 2,
  mmapable: true,
});

const fakeObject = () =>
  new FakeObject({
    file: FILE,
    maps: [
      array('slots', 'ml_slot'),
      array('stacks', 'ml_stack'),
      array('ages', 'ml_ages'),
      { name: 'sites', type: HASH, keySize: layoutOf('ml_site').size },
      { name: 'spare', type: QUEUE, keySize: 0, valueSize: 4 },
    ],
  });

const at = (member: string) =>
  layoutOf('ml_slot').fields.find(({ name }) => name === member)?.offset ?? assert.fail(member);

it('a sum is whole while programs carry into its high half', async () => {
  const object = fakeObject();
  const members = ['allocated_bytes', 'allocated', 'freed_bytes', 'freed'];
  const size = object.map('slots').bytes.length;
  const writer = new CarryingWriter(size, members.map(at));
  object.map('slots').bytes = writer.bytes;
  const scope = new Scope();
  const table = new SlotTable(object, scope, OTHERS);
  const torn = new Set<number>();
  await CarryingWriter.watch(() => {
    const [one] = table.read((number) => (number === 0 ? TARGET : undefined), false);
    const { bytes = 0, freedBytes = 0, allocatedBytes = 0 } = one?.reading ?? {};
    for (const value of [bytes, freedBytes, allocatedBytes]) {
      if (!CarryingWriter.isWhole(value)) torn.add(value);
    }
    return freedBytes;
  });
  writer.close();
  await scope.close();
  assert.deepEqual([...torn], []);
});
