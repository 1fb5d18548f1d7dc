import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { harmless } from '../cli/text.js';
import { CgroupPaths } from './cgroup-paths.js';
import { WhoIs, type WhoRecord } from './who.js';

const CONTAINER = 'a1b2c3d4e5f60718293a4b5c6d7e8f90'.repeat(2);
const POD = '6f4e2b1a-93d7-4c58-8e21-5b0c9d7f1a34';
const V1 = `4:memory:/kubepods/burstable/pod${POD}/${CONTAINER}`;
const V2 = `0::/system.slice/docker-${CONTAINER}.scope`;
const BOOT = Date.UTC(2026, 10, 23);

const cgroups = () =>
  new CgroupPaths({
    read: () => `${V1}\n${V2}\n`,
    tree: () => ({ find: () => undefined, confirms: () => true, idOf: () => undefined }),
  });
const whoIs = new WhoIs(cgroups(), BOOT);

const record = (values: Partial<WhoRecord> = {}): WhoRecord => ({
  start_time: 1_500_999_999,
  cgroup: 7,
  cgroup_v1: 0,
  pid: 4711,
  tid: 4711,
  kernel_thread: 0,
  comm: 'postgres',
  executable: 'postgres',
  ...values,
});

describe('WhoIs', () => {
  it('tells process and container', () => {
    assert.deepEqual(whoIs.attributes(record()), {
      'process.pid': 4711,
      'process.creation.time': '2026-11-23T00:00:01.500Z',
      'process.executable.name': 'postgres',
      'process.linux.cgroup': V2,
      'container.id': CONTAINER,
    });
  });

  it('asks the hierarchy that the id is from', () => {
    const attributes = whoIs.attributes(record({ cgroup_v1: 1 }));
    assert.equal(attributes['process.linux.cgroup'], V1);
    assert.deepEqual(whoIs.container(7, true, 4711), {
      'container.id': CONTAINER,
      'k8s.pod.uid': POD,
    });
    assert.deepEqual(whoIs.container(0, true, 4711), {});
  });

  it('tells the thread where it is another than the process', () => {
    const thread = (values: Partial<WhoRecord>) => {
      const attributes = whoIs.attributes(record(values));
      return [attributes['thread.id'], attributes['thread.name']];
    };
    assert.deepEqual(thread({}), [undefined, undefined]);
    assert.deepEqual(thread({ tid: 4712 }), [4712, undefined]);
    assert.deepEqual(thread({ tid: 4712, comm: 'walwriter' }), [4712, 'walwriter']);
    assert.deepEqual(thread({ comm: 'post' }), [undefined, 'post']);
  });

  it('takes a name that is cut for what it was cut from', () => {
    const name = (executable: string, comm: string) =>
      whoIs.attributes(record({ executable, comm }))['thread.name'];
    assert.equal(name('systemd-journald', 'systemd-journal'), undefined);
    assert.equal(name('systemd-journald', 'systemd-journa'), 'systemd-journa');
    // Cut inside of a character, by the kernel and so by us.
    const executable = 'fünfzehn-bytesü';
    const bytes = Buffer.from(executable).subarray(0, 15);
    assert.equal(name(executable, bytes.toString()), undefined);
  });

  it('names a process whose file is unknown by itself, but not by one of its threads', () => {
    const name = (values: Partial<WhoRecord>) =>
      whoIs.attributes(record({ executable: '', ...values }))['process.executable.name'];
    assert.equal(name({ comm: 'kswapd0', kernel_thread: 1 }), 'kswapd0');
    assert.equal(name({ comm: 'exiting' }), 'exiting');
    assert.equal(name({ comm: 'worker', tid: 4712 }), undefined);
    const { 'thread.name': thread } = whoIs.attributes(
      record({ executable: '', comm: 'worker', tid: 4712 }),
    );
    assert.equal(thread, 'worker');
  });

  it('leaves out what is unknown, rather than to say undefined', () => {
    const attributes = whoIs.attributes(record({ cgroup: 0, executable: '', comm: '', tid: 9 }));
    assert.deepEqual(Object.keys(attributes), [
      'process.pid',
      'process.creation.time',
      'thread.id',
    ]);
  });

  it('says nothing of the thread in what a series has', () => {
    const attributes = whoIs.process(record({ tid: 9, comm: 'x' }));
    assert(!('thread.id' in attributes) && !('thread.name' in attributes));
  });

  it('gives hostile names on as they are; the terminal’s text is harmless', () => {
    const comm = '\u001b[2J\n\u202e\ufffd';
    const who = whoIs.who(record({ comm, executable: `a\u0007${comm}` }));
    assert.equal(who.comm, comm);
    assert.equal(who.executable, `a\u0007${comm}`);
    assert.equal(harmless(who.comm), '\\x1b[2J\\n\\u202e\ufffd');
  });

  it('has one time for one process', () => {
    const { startTime, startNs } = whoIs.who(record());
    assert.equal(startTime, BOOT + 1500);
    assert.equal(startNs, 1_500_999_999);
  });
});
