import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProcstatDecoder } from './decoder.js';
import { layouts, pass, process, thread } from './records.js';

const BOOT = Date.parse('2026-01-01T00:00:00Z');
const decoder = () => new ProcstatDecoder(layouts, { pageSize: 4096, bootTime: BOOT });
const decode = (...records: Uint8Array[]) => decoder().decode(pass(...records));

const LEADER = {
  pid: 42,
  ppid: 7,
  uid: 1000,
  cgroup: 0x1_0000_0005n,
  cgroup_v1: 1,
  start_time: 5_250_000_000n,
  memory: {
    total_vm: 1000,
    hiwater_vm: 900,
    hiwater_rss: 60,
    locked_vm: 3,
    data_vm: 500,
    stack_vm: 33,
    page_table_bytes: 81_920,
    hugetlb: 512,
    counters: [10, 20, 5, 1],
  },
  activity: {
    voluntary_switches: 100,
    involuntary_switches: 10,
    minor_faults: 70,
    major_faults: 2,
  },
  comm: 'worker 1',
  executable: 'postgres',
};

describe('ProcstatDecoder', () => {
  it('turns pages into bytes', () => {
    assert.deepEqual(decode(process(LEADER)), {
      unreadable: 0,
      processes: [
        {
          pid: 42,
          ppid: 7,
          uid: 1000,
          startNs: 5_250_000_000,
          startTime: BOOT + 5250,
          comm: 'worker 1',
          executable: 'postgres',
          cgroupId: 0x1_0000_0005,
          cgroupV1: true,
          threads: 1,
          usage: 31 * 4096,
          peak: 60 * 4096,
          virtual: 1000 * 4096,
          virtualPeak: 1000 * 4096,
          anon: 20 * 4096,
          file: 10 * 4096,
          shmem: 4096,
          swap: 5 * 4096,
          data: 500 * 4096,
          stack: 33 * 4096,
          pageTables: 81_920,
          locked: 3 * 4096,
          hugetlb: 512 * 4096,
          voluntarySwitches: 100,
          involuntarySwitches: 10,
          minorFaults: 70,
          majorFaults: 2,
        },
      ],
    });
  });

  it('adds up threads, before and behind their leader', () => {
    const one = { voluntary_switches: 1, involuntary_switches: 2, minor_faults: 3 };
    const { processes } = decode(
      thread({ pid: 42, activity: one, unfolded: [1, -3, 0, 0] }),
      process(LEADER),
      thread({ pid: 42, activity: one, unfolded: [0, 10, 0, 2] }),
      thread({ pid: 99, activity: one }),
    );
    assert.equal(processes.length, 1);
    const [found] = processes;
    assert.equal(found?.threads, 3);
    assert.equal(found?.anon, 27 * 4096);
    assert.equal(found?.file, 11 * 4096);
    assert.equal(found?.shmem, 3 * 4096);
    assert.equal(found?.usage, 41 * 4096);
    assert.equal(found?.voluntarySwitches, 102);
    assert.equal(found?.minorFaults, 76);
  });

  it('takes the memory of a thread where the leader has exited', () => {
    const { processes } = decode(
      process({ ...LEADER, has_memory: 0 }),
      thread({ pid: 42, unfolded: [0, 1, 0, 0] }),
      thread({ pid: 42, has_memory: 1, memory: { total_vm: 8, counters: [0, 6, 0, 0] } }),
      thread({ pid: 42, has_memory: 1, memory: { total_vm: 9, counters: [0, 7, 0, 0] } }),
    );
    assert.equal(processes[0]?.anon, 7 * 4096);
    assert.equal(processes[0]?.virtual, 8 * 4096);
  });

  it('leaves out processes without memory', () => {
    assert.deepEqual(decode(process({ ...LEADER, has_memory: 0 })).processes, []);
  });

  it('never reports less than nothing', () => {
    const memory = { ...LEADER.memory, counters: [-2, 1, -1, 0] };
    const [found] = decode(process({ ...LEADER, memory })).processes;
    assert.deepEqual([found?.file, found?.anon, found?.swap], [0, 4096, 0]);
  });

  it('reports the present as the peak where it is higher', () => {
    const memory = { ...LEADER.memory, hiwater_rss: 3, hiwater_vm: 2000 };
    const [found] = decode(process({ ...LEADER, memory })).processes;
    assert.equal(found?.peak, found?.usage);
    assert.equal(found?.virtualPeak, 2000 * 4096);
  });

  it('keeps reused pids apart, and renamed processes current', () => {
    const one = decoder();
    const [before] = one.decode(pass(process(LEADER))).processes;
    const [renamed] = one.decode(pass(process({ ...LEADER, comm: 'worker 2' }))).processes;
    const again = { ...LEADER, start_time: 9_000_000_000n, comm: 'sh', executable: 'dash' };
    const [after] = one.decode(pass(process(again))).processes;
    assert.equal(renamed?.comm, 'worker 2');
    assert.equal(renamed?.startNs, before?.startNs);
    assert.notEqual(after?.startNs, before?.startNs);
    assert.equal(after?.executable, 'dash');
  });

  it('carries hostile names, and those that fill their room', () => {
    const names = ['a\nb\u001b[2J', 'exactly sixteen!', 'ü'.repeat(8), ''];
    for (const comm of names) {
      const [found] = decode(process({ ...LEADER, comm })).processes;
      assert.equal(found?.comm, comm);
    }
    const [long] = decode(process({ ...LEADER, executable: 'x'.repeat(64) })).processes;
    assert.equal(long?.executable, 'x'.repeat(64));
    const [nameless] = decode(process({ ...LEADER, executable: '' })).processes;
    assert.equal(nameless?.executable, 'worker 1');
  });

  it('says what it could not read, and keeps what came before', () => {
    const whole = pass(process(LEADER), thread({ pid: 42 }));
    for (let length = 0; length < whole.length; length++) {
      const { processes, unreadable } = decoder().decode(whole.subarray(0, length));
      const records = length >= layouts.process.size ? 1 : 0;
      assert.equal(processes.length, records);
      assert.equal(unreadable, length - records * layouts.process.size);
    }
    const garbage = decoder().decode(new Uint8Array(4096).fill(0xff));
    assert.deepEqual(garbage, { processes: [], unreadable: 4096 });
    assert.deepEqual(decoder().decode(new Uint8Array(0)), { processes: [], unreadable: 0 });
  });

  it('reads at any alignment', () => {
    const bytes = pass(process(LEADER));
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    assert.deepEqual(decoder().decode(shifted.subarray(3)), decoder().decode(bytes));
  });

  it('refuses an object of another build', () => {
    const fields = layouts.process.fields.filter(({ name }) => name !== 'uid');
    const process = { ...layouts.process, fields };
    const host = { pageSize: 4096, bootTime: BOOT };
    assert.throws(() => new ProcstatDecoder({ ...layouts, process }, host), /no field uid/);
  });
});
