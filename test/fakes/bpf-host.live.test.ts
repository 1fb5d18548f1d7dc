/** The fake is asked what the real host is asked, and answers alike. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BpfObject } from '../../core/bpf/host.js';
import { FakeBpfHost, fakeLoader } from './bpf-host.js';
import { code } from './error-code.js';
import { FILE, host } from './kit.js';

const fakes = new FakeBpfHost({
  file: FILE,
  programs: {
    compute: { section: 'raw_tp/sys_enter', run: () => 3 },
    each_task: { section: 'iter/task', rows: () => new Uint8Array(48) },
  },
  maps: [
    { name: 'table', type: 1, keySize: 8, valueSize: 40, maxEntries: 100 },
    { name: 'slots', valueSize: 40, maxEntries: 64, mmapable: true },
  ],
});

for (const [kind, open] of [
  ['fake', () => fakes.open(FILE)],
  ['real', () => host.open(FILE)],
] as const) {
  test(`a ${kind} object checks constants, lays out and keeps entries`, (context) => {
    const object: BpfObject = open();
    context.after(() => object.close());
    object.setConstant('factor', 3);
    assert.throws(() => object.setConstant('factor', -1), code('LAYOUT_INVALID'));
    assert.throws(() => object.setConstant('nothing', 1), code('LAYOUT_INVALID'));
    assert.throws(() => object.layout('nothing'), code('LAYOUT_INVALID'));
    object.selectPrograms(['compute', 'each_task']);
    object.load();
    assert.equal(object.layout('kit_slot').size, 40);
    const context8 = new Uint8Array(8);
    context8[0] = 1;
    assert.equal(object.run('compute', { context: context8 }).retval, 3);
    assert.equal(object.attach('each_task').readAll().length % 24, 0);
    const table = object.map('table');
    const key = new Uint8Array(8).fill(7);
    assert.equal(table.lookup(key), undefined);
    table.update(key, new Uint8Array(40).fill(9));
    assert.deepEqual(table.lookup(key), new Uint8Array(40).fill(9));
    assert.deepEqual([...table.keys()], [key]);
    assert.equal(table.delete(key), true);
    assert.equal(table.delete(key), false);
    const global = object.global('wide');
    global.set(2n ** 40n);
    assert.equal(global.get(), 2n ** 40n);
    assert.throws(() => global.set(-1), code('LAYOUT_INVALID'));
    assert.throws(() => object.global('nothing'), code('LAYOUT_INVALID'));
    global.close();
    const mapped = object.map('slots').mapped();
    assert.deepEqual([mapped.stride, mapped.entries, mapped.bytes.length], [40, 64, 64 * 40]);
  });
}

test('the fake loader sets, loads and attaches what is not only run', () => {
  const object = fakes.open(FILE);
  const loaded = fakeLoader(object).load({ constants: { factor: 2 }, maxEntries: { table: 5 } });
  assert.deepEqual([...loaded.links.keys()], ['each_task']);
  assert.equal(object.constants.get('factor'), 2);
  assert.equal(object.map('table').spec.maxEntries, 5);
  assert(object.loaded);
  void loaded.close();
  assert(object.closed);
});
