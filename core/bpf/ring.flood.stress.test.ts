/**
 * The ring reader against a real kernel: every record that a producer made is either received, in
 * order and whole, or counted as dropped or discarded. Nothing is lost uncounted.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Columns } from './columns.js';
import type { BpfObject, MappedArray, RingReader } from './host.js';
import { createBpfHost } from './libbpf.js';
import { readStats } from './stats.js';

const FILE = fileURLToPath(new URL('../../bpf/flood.bpf.o', import.meta.url));
/** An emulated machine of the kernel matrix takes minutes for what a real one does in seconds. */
const EMULATED = process.env.MEM_WATCHER_VM !== undefined;
const IN_BULK = EMULATED ? 200_000 : 10_000_000;
const CONCURRENT = EMULATED ? 20_000 : 1_000_000;
const PRODUCERS = 4;

interface Account {
  received: number;
  next: number;
  bad: number;
}

let object: BpfObject;
let ring: RingReader;
let mapped: MappedArray;
let accounts: Columns;
const seen: Account[] = Array.from({ length: PRODUCERS }, () => ({ received: 0, next: 0, bad: 0 }));

before(() => {
  object = createBpfHost().open(FILE);
  object.load();
  ring = object.map('records').ring();
  mapped = object.map('accounts').mapped();
  accounts = new Columns(object.layout('flood_account')).bind(mapped.bytes, mapped.stride);
});
after(() => object.close());

const count = (member: string, producer: number): number => accounts.column(member).at(producer);

/** Checks every byte that a record has. */
function onRecord(view: DataView, offset: number, length: number): void {
  const sequence = view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 2 ** 32;
  const producer = seen[view.getUint32(offset + 8, true)];
  if (!producer) throw new Error(`a record of producer ${view.getUint32(offset + 8, true)}`);
  let good =
    sequence >= producer.next &&
    length === 16 + (sequence & 31) &&
    view.getUint32(offset + 12, true) === length;
  for (let at = 16; good && at < length; at++) {
    const byte = Math.floor(sequence / 256 ** (at & 7)) & 255;
    good = view.getUint8(offset + at) === byte;
  }
  producer.received++;
  producer.next = sequence + 1;
  if (!good) producer.bad++;
}

function assertNothingIsMissing(): void {
  let dropped = 0;
  for (const [producer, { received, bad }] of seen.entries()) {
    const produced = count('produced', producer);
    dropped += count('dropped', producer);
    const accounted = received + count('dropped', producer) + count('discarded', producer);
    assert.equal(bad, 0, `records of producer ${producer} out of order or damaged`);
    assert.equal(accounted, produced, `records of producer ${producer}`);
  }
  assert.equal(readStats(object)?.ringDrops, dropped, 'drops in mw_stats');
  assert.equal(object.map('records').fullness, 0);
}

test(`${IN_BULK} records in bulk, with the ring full at times`, (context) => {
  const account = seen[0];
  assert(account);
  for (let round = 0; account.received < IN_BULK; round++) {
    // 1 MiB takes some 26 runs of 1024 records: every fourth round overfills it.
    const runs = round % 4 === 3 ? 40 : 1 + (round % 23);
    for (let run = 0; run < runs; run++) object.run('flood');
    if (runs === 40) assert((object.map('records').fullness ?? 0) > 0.99, 'a full ring says so');
    while (ring.drain(onRecord) > 0);
  }
  assertNothingIsMissing();
  assert(count('dropped', 0) > 0, 'the ring was never full');
  assert(count('discarded', 0) > 0, 'nothing was discarded');
  context.diagnostic(
    `produced ${count('produced', 0)}, received ${account.received}, ` +
      `dropped ${count('dropped', 0)}, discarded ${count('discarded', 0)}`,
  );
});

test('records of producers that write while the ring is drained', async (context) => {
  const link = object.attach('flood_by_syscall');
  const children: ChildProcess[] = [];
  const words = new BigUint64Array(mapped.bytes.buffer, 0, (PRODUCERS * mapped.stride) / 8);
  const stop = async () => {
    for (const child of children) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }
    children.length = 0;
  };
  try {
    for (let producer = 1; producer < PRODUCERS; producer++) {
      const child = spawn('dd', ['if=/dev/zero', 'of=/dev/null', 'bs=1'], { stdio: 'ignore' });
      children.push(child);
      words[(producer * mapped.stride) / 8 + 3] = BigInt(child.pid ?? 0);
    }
    const received = () => seen.slice(1).reduce((sum, account) => sum + account.received, 0);
    while (received() < CONCURRENT) {
      ring.drain(onRecord);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await stop();
  } finally {
    await stop();
    link.close();
  }
  while (ring.drain(onRecord) > 0);
  for (let producer = 1; producer < PRODUCERS; producer++) {
    assert(count('produced', producer) > 0, `producer ${producer} made nothing`);
  }
  assertNothingIsMissing();
  const total = (member: string) => [1, 2, 3].reduce((sum, one) => sum + count(member, one), 0);
  context.diagnostic(`produced ${total('produced')}, dropped ${total('dropped')}`);
});
