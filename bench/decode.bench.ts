import { fileURLToPath } from 'node:url';
import { Columns } from '../core/bpf/columns.js';
import type { BpfObject } from '../core/bpf/host.js';
import { createBpfHost } from '../core/bpf/libbpf.js';
import { LiveColumns } from '../core/bpf/live-columns.js';
import { recordDecoder } from '../core/bpf/record.js';
import { type BenchRow, median } from './bench.js';

export const title = 'Decoding 10,000 map slots of 64 bytes, every member';

const FILE = fileURLToPath(new URL('../bpf/bench-slots.bpf.o', import.meta.url));
const SLOTS = 10_000;
const ROUNDS = 300;
const TARGET = 20;

export async function run(): Promise<BenchRow[]> {
  const object = createBpfHost().open(FILE);
  try {
    object.setMaxEntries('slots', SLOTS);
    object.load();
    for (let first = 0; first < SLOTS; first += 500) {
      object.run('fill', { context: new Uint8Array(new BigUint64Array([BigInt(first)]).buffer) });
    }
    return [byColumns(object), byLiveColumns(object), byObjects(object), byLookups(object)];
  } finally {
    object.close();
  }
}

function byColumns(object: BpfObject): BenchRow {
  const mapped = object.map('slots').mapped();
  const value = measureSweep(new Columns(object.layout('slot')).bind(mapped.bytes, mapped.stride));
  mapped.close();
  const met = value <= TARGET;
  return { name: 'columns over the mapping', value, unit: 'ns/slot', target: `≤ ${TARGET}`, met };
}

/** Six values of 64 bits and four of 32 per slot, each by one atomic load. */
function byLiveColumns(object: BpfObject): BenchRow {
  const mapped = object.map('slots').mapped();
  const value = measureSweep(new LiveColumns(object.layout('slot'), mapped), 50);
  mapped.close();
  return { name: 'columns while programs write', value, unit: 'ns/slot', note: 'no torn value' };
}

function measureSweep(slots: Columns | LiveColumns, rounds = ROUNDS): number {
  const [total, freed, stack, size, oldest, newest] = (
    ['total', 'freed', 'stack', 'size', 'oldest', 'newest'] as const
  ).map((name) => slots.column(name));
  const [count, pid, cpu, flags] = (['count', 'pid', 'cpu', 'flags'] as const).map((name) =>
    slots.column(name),
  );
  if (!total || !freed || !stack || !size || !oldest || !newest)
    throw new Error('slot has changed');
  if (!count || !pid || !cpu || !flags) throw new Error('slot has changed');
  const sweep = (): number => {
    let sum = 0;
    for (let row = 0; row < slots.rows; row++) {
      sum += total.at(row) + freed.at(row) + stack.at(row) + size.at(row);
      sum += oldest.at(row) + newest.at(row);
      sum += count.at(row) + pid.at(row) + cpu.at(row) + flags.at(row);
    }
    return sum;
  };
  const expected = (SLOTS * (SLOTS - 1) * 10) / 2 + 45 * SLOTS;
  return measure(() => {
    if (sweep() !== expected) throw new Error('the slots were not read right');
  }, rounds);
}

function byObjects(object: BpfObject): BenchRow {
  const mapped = object.map('slots').mapped();
  const decoder = recordDecoder<Record<string, number>>(object.layout('slot'));
  const value = measure(() => {
    decoder.decodeAll(mapped.bytes);
  }, 20);
  mapped.close();
  return { name: 'an object a slot', value, unit: 'ns/slot', note: 'for cold paths' };
}

function byLookups(object: BpfObject): BenchRow {
  const map = object.map('slots');
  const key = new Uint32Array(1);
  const bytes = new Uint8Array(key.buffer);
  const value = measure(() => {
    for (let slot = 0; slot < SLOTS; slot++) {
      key[0] = slot;
      map.lookup(bytes);
    }
  }, 5);
  return { name: 'a look-up a slot', value, unit: 'ns/slot', note: 'what mapping saves' };
}

/** ns a slot, the median of the rounds after the compiler has warmed up. */
function measure(round: () => void, rounds = ROUNDS): number {
  const times: number[] = [];
  for (let index = -Math.ceil(rounds / 3); index < rounds; index++) {
    const start = process.hrtime.bigint();
    round();
    if (index >= 0) times.push(Number(process.hrtime.bigint() - start) / SLOTS);
  }
  return median(times);
}
