/** The BPF host on the running kernel. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { code } from '../../test/fakes/error-code.js';
import { FILE, hits, host, loaded, u64 } from '../../test/fakes/kit.js';
import { Columns } from './columns.js';
import { recordDecoder } from './record.js';
import { readStats } from './stats.js';

test('an object tells its programs and maps before it is loaded', (context) => {
  const object = host.open(FILE);
  context.after(() => object.close());
  assert.deepEqual(object.programs[0], { name: 'compute', section: 'raw_tp/sys_enter' });
  assert.deepEqual(
    object.maps.find((map) => map.name === 'slots'),
    { name: 'slots', type: 2, keySize: 4, valueSize: 40, maxEntries: 64, mmapable: true },
  );
  assert(object.maps.some((map) => map.name === '.rodata'));
  assert.throws(() => object.map('slots').lookup(new Uint8Array(4)), code('BPF_MAP_FAILED'));
  assert.throws(() => object.run('compute'), code('INTERNAL', /is opened, not loaded/));
});

test('what is no object is refused with its name', () => {
  assert.throws(() => host.open('/nonexistent.bpf.o'), code('BPF_OPEN_FAILED', /nonexistent/));
  assert.throws(() => host.open('/bin/true'), code('BPF_OPEN_FAILED'));
});

test('constants reach the program, of every width and sign', (context) => {
  const object = host.open(FILE);
  context.after(() => object.close());
  object.setConstant('factor', 4_000_000);
  object.setConstant('offset', -5n);
  object.setConstant('negate', true);
  object.selectPrograms(['compute']);
  object.load();
  assert.equal(object.run('compute', { context: u64(7) }).retval, -(7 * 4_000_000 - 5));
  assert.equal(hits(object), 1n);
});

test('a constant that does not exist or does not fit is refused', (context) => {
  const object = host.open(FILE);
  context.after(() => object.close());
  assert.throws(() => object.setConstant('nothing', 1), code('LAYOUT_INVALID', /no constant/));
  assert.throws(() => object.setConstant('factor', -1), code('LAYOUT_INVALID', /does not fit/));
  assert.throws(() => object.setConstant('factor', 2 ** 32), code('LAYOUT_INVALID'));
  assert.throws(() => object.setConstant('factor', 1.5), code('LAYOUT_INVALID', /no integer/));
});

test('a global is found by its name, and not by its place in the section', (context) => {
  const object = loaded(context, 'read_global');
  const read = (number: number) => object.run('read_global', { context: u64(number) }).retval;
  const wide = object.global('wide');
  const narrow = object.global('narrow');
  const initialized = object.global('initialized');
  assert.equal(initialized.get(), 2n ** 32n - 3n);
  wide.set(7n << 32n);
  narrow.set(9);
  initialized.set(-5);
  assert.deepEqual([0, 1, 2, 3].map(read), [0, 7, 9, -5]);
  assert.deepEqual([wide.get(), narrow.get(), hits(object)], [7n << 32n, 9n, 0n]);
});

test('a global that does not exist, is no integer or whose value does not fit is refused', (context) => {
  const object = loaded(context, 'read_global');
  assert.throws(() => object.global('nothing'), code('LAYOUT_INVALID', /no global variable/));
  assert.throws(() => object.global('factor'), code('LAYOUT_INVALID', /no global variable/));
  assert.throws(() => object.global('before'), code('LAYOUT_INVALID', /no integer/));
  assert.throws(() => object.global('narrow').set(2 ** 16), code('LAYOUT_INVALID', /does not fit/));
});

test('a program runs on the CPU it is told', (context) => {
  const object = loaded(context, 'which_cpu');
  for (let cpu = 0; cpu < cpus().length; cpu++) {
    assert.equal(object.run('which_cpu', { cpu }).retval, cpu);
  }
  assert.throws(() => object.run('which_cpu', { cpu: 100_000 }), code('BPF_RUN_FAILED', /ENXIO/));
});

test('a mapped array shows what the kernel writes, and nothing once closed', (context) => {
  const object = loaded(context, 'fill');
  const mapped = object.map('slots').mapped();
  const slots = new Columns(object.layout('kit_slot')).bind(mapped.bytes, mapped.stride);
  const [wide, signed, narrow] = ['count', 'signed_wide', 'narrow'].map((n) => slots.column(n));
  const name = slots.text('name');
  assert.equal(wide?.at(63), 0);
  object.run('fill', { context: u64(0) });
  for (let row = 0; row < slots.rows; row++) {
    assert.equal(wide?.at(row), row * 2 ** 32 + row);
    assert.equal(signed?.at(row), -row - 1);
    assert.equal(narrow?.at(row), 0xffffffff - row);
    assert.equal(name.at(row), String.fromCharCode(97 + (row % 26)));
  }
  assert.equal(slots.rows, 64);
  mapped.close();
  mapped.close();
  assert.equal(mapped.bytes.length, 0);
  assert.throws(() => wide?.at(0));
});

test('a hash is written, read, listed and emptied', (context) => {
  const object = host.open(FILE);
  context.after(() => object.close());
  object.setMaxEntries('table', 3);
  object.selectPrograms(['compute']);
  object.load();
  const table = object.map('table');
  const key = (index: number) => new Uint8Array(new Uint32Array([9, index]).buffer);
  for (const index of [1, 2, 3]) table.update(key(index), new Uint8Array(40).fill(index));
  assert.throws(() => table.update(key(4), new Uint8Array(40)), code('BPF_MAP_FAILED', /E2BIG/));
  assert.throws(() => table.update(key(1), new Uint8Array(8)), code('BPF_MAP_FAILED', /40 bytes/));
  assert.deepEqual(table.lookup(key(2)), new Uint8Array(40).fill(2));
  assert.equal(table.lookup(key(5)), undefined);
  assert.deepEqual([...table.keys()].map((one) => one[4]).sort(), [1, 2, 3]);
  assert.equal(table.delete(key(1)), true);
  assert.equal(table.delete(key(1)), false);
  assert.equal([...table.keys()].length, 2);
  assert.throws(() => table.mapped(), code('BPF_MAP_FAILED', /cannot be mapped/));
  assert.throws(() => table.ring(), code('BPF_MAP_FAILED', /no ring/));
});

test('counters of the object are summed over the CPUs', (context) => {
  const object = loaded(context, 'fill');
  assert.deepEqual(readStats(object), { ringDrops: 0, mapFull: 0, readFailures: 0 });
  for (let cpu = 0; cpu < cpus().length; cpu++) object.run('fill', { cpu, context: u64(0) });
  assert.equal(readStats(object)?.mapFull, cpus().length);
});

test('an iterator sees every task, pass after pass', (context) => {
  const object = loaded(context, 'each_task');
  const link = object.attach('each_task');
  const decoder = recordDecoder<{ tgid: number; pid: number; comm: string }>(
    object.layout('kit_task'),
  );
  for (let pass = 0; pass < 2; pass++) {
    const rows = decoder.decodeAll(link.readAll());
    const own = rows.filter((row) => row.tgid === process.pid).map((row) => row.pid);
    assert.deepEqual(own.sort(), readdirSync('/proc/self/task').map(Number).sort());
    const comm = readFileSync('/proc/self/comm', 'utf8').trimEnd();
    assert.equal(rows.find((row) => row.pid === process.pid)?.comm, comm);
  }
  link.close();
  assert.throws(() => link.readAll(), code('BPF_RUN_FAILED', /detached/));
});

test('maps and programs tell their memory, ids and runs', (context) => {
  const object = loaded(context, 'compute');
  assert(object.map('slots').id > 0);
  assert(object.map('slots').memory() >= 64 * 40);
  const before = object.programInfo('compute');
  assert(before.id > 0);
  const path = '/proc/sys/kernel/bpf_stats_enabled';
  const was = readFileSync(path);
  try {
    writeFileSync(path, '1');
    for (let run = 0; run < 5; run++) object.run('compute', { context: u64(1) });
  } finally {
    writeFileSync(path, was);
  }
  // test_run does not count on every kernel; attached programs do.
  assert(object.programInfo('compute').runCount >= before.runCount);
});

test('a BTF file replaces that of the kernel', (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'mem-watcher-'));
  context.after(() => rmSync(directory, { recursive: true }));
  const btfFile = join(directory, 'kernel.btf');
  writeFileSync(btfFile, readFileSync('/sys/kernel/btf/vmlinux'));
  const object = host.open(FILE, { btfFile });
  object.selectPrograms(['each_task']);
  object.load();
  assert(object.attach('each_task').readAll().length > 0);
  object.close();
  const lost = host.open(FILE, { btfFile: join(directory, 'nothing.btf') });
  lost.selectPrograms(['each_task']);
  assert.throws(() => lost.load(), code('BPF_LOAD_FAILED'));
  lost.close();
});

test('maps that are omitted are not made', (context) => {
  const object = host.open(FILE);
  context.after(() => object.close());
  object.selectPrograms(['compute']);
  object.omitMaps(['table']);
  object.load();
  assert.throws(() => object.map('table').id, code('BPF_MAP_FAILED', /not in the kernel/));
});

test('after close every use is an error, not a crash', () => {
  const object = host.open(FILE);
  object.selectPrograms(['compute', 'each_task']);
  object.load();
  const slots = object.map('slots');
  const link = object.attach('each_task');
  const mapped = slots.mapped();
  object.close();
  object.close();
  assert.throws(() => object.run('compute'), code('SCOPE_CLOSED'));
  assert.throws(() => slots.lookup(new Uint8Array(4)), code('BPF_MAP_FAILED'));
  assert.throws(() => link.readAll(), code('BPF_RUN_FAILED'));
  assert.equal(mapped.bytes.length, 0);
  link.close();
  assert.equal(slots.spec.name, 'slots');
});

test('descriptors and mappings are gone after close, also after failed loads', () => {
  const cycle = (programs: string[]) => {
    const object = host.open(FILE);
    object.selectPrograms(programs);
    try {
      object.load();
      object.attach('traced');
      object.attach('each_task').readAll();
      object.map('slots').mapped();
      object.global('hits').close();
      const other = object.map('slots').mapped();
      other.close();
    } catch (error) {
      assert(programs.includes('refused'), String(error));
    } finally {
      object.close();
    }
  };
  const flood = () => {
    const object = host.open(FILE.replace('kit', 'flood'));
    object.load();
    object.map('records').ring().close();
    object.map('records').ring();
    assert.throws(() => object.map('records').ring(), code('BPF_MAP_FAILED', /a reader already/));
    object.close();
  };
  const bpfFiles = () =>
    readdirSync('/proc/self/fd').length +
    readFileSync('/proc/self/maps', 'utf8')
      .split('\n')
      .filter((line) => line.includes('bpf')).length;
  const once = () => {
    cycle(['compute', 'traced', 'each_task']);
    cycle(['traced', 'each_task', 'refused']);
    flood();
  };
  once();
  const before = bpfFiles();
  // A load takes a second on the emulated machines of the kernel matrix.
  const rounds = process.env.MEM_WATCHER_VM === undefined ? 5 : 2;
  for (let round = 0; round < rounds; round++) once();
  assert.equal(bpfFiles(), before);
});
