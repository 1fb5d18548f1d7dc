/** The ring reader on memory that the test writes, for what a kernel does only rarely. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MappedRing } from './ring.js';

const PAGE = 4096;
const SIZE = 4096;
const BUSY = 0x80000000;
const DISCARDED = 0x40000000;

/** The kernel's side: writes records, and mirrors the data as the double mapping does. */
class Producer {
  readonly consumer = new ArrayBuffer(PAGE);
  readonly producer = new ArrayBuffer(PAGE + 2 * SIZE);
  released = 0;
  #position: bigint;

  constructor(start = 0n) {
    this.#position = start;
    new BigUint64Array(this.consumer)[0] = start;
    this.#publish();
  }

  reader(): MappedRing {
    const { consumer, producer } = this;
    const release = () => {
      this.released++;
    };
    return new MappedRing({ consumer, producer, pageSize: PAGE, size: SIZE, release });
  }

  get consumed(): bigint {
    return new BigUint64Array(this.consumer)[0] ?? 0n;
  }

  /** Returns where the header is, for `header`. */
  write(payload: readonly number[], flags = 0): number {
    const at = Number(this.#position % BigInt(SIZE));
    this.header(at, payload.length + flags);
    for (const [index, byte] of payload.entries()) this.#byte(at + 8 + index, byte);
    this.#position += BigInt((payload.length + 15) & ~7);
    this.#publish();
    return at;
  }

  header(at: number, value: number): void {
    for (let byte = 0; byte < 4; byte++) this.#byte(at + byte, (value / 2 ** (8 * byte)) & 255);
  }

  #byte(at: number, value: number): void {
    const bytes = new Uint8Array(this.producer, PAGE);
    bytes[at % SIZE] = value;
    bytes[(at % SIZE) + SIZE] = value;
  }

  #publish(): void {
    new BigUint64Array(this.producer)[0] = this.#position;
  }
}

function collect(ring: MappedRing): number[][] {
  const records: number[][] = [];
  ring.drain((view, offset, length) => {
    records.push([...new Uint8Array(view.buffer, view.byteOffset + offset, length)]);
  });
  return records;
}

test('records come in order, once, and free their space', () => {
  const kernel = new Producer();
  const ring = kernel.reader();
  assert.deepEqual(collect(ring), []);
  kernel.write([1, 2, 3]);
  kernel.write([]);
  kernel.write([4, 5, 6, 7, 8, 9, 10, 11, 12]);
  assert.deepEqual(ring.fullness, { used: 16 + 8 + 24, size: SIZE });
  assert.deepEqual(collect(ring), [[1, 2, 3], [], [4, 5, 6, 7, 8, 9, 10, 11, 12]]);
  assert.deepEqual(ring.fullness, { used: 0, size: SIZE });
  assert.equal(kernel.consumed, 48n);
  assert.deepEqual(collect(ring), []);
});

test('a busy record stops the drain until it is committed', () => {
  const kernel = new Producer();
  const ring = kernel.reader();
  kernel.write([1]);
  const busy = kernel.write([2], BUSY);
  kernel.write([3]);
  assert.deepEqual(collect(ring), [[1]]);
  assert.deepEqual(collect(ring), []);
  assert.equal(kernel.consumed, 16n);
  kernel.header(busy, 1);
  assert.deepEqual(collect(ring), [[2], [3]]);
});

test('a discarded record is stepped over and not counted', () => {
  const kernel = new Producer();
  const ring = kernel.reader();
  kernel.write([1], DISCARDED);
  kernel.write([2]);
  kernel.write([3], DISCARDED);
  assert.equal(
    ring.drain((view, offset) => assert.equal(view.getUint8(offset), 2)),
    1,
  );
  assert.equal(kernel.consumed, 48n);
});

for (const start of [0n, 2n ** 32n - 64n, 2n ** 31n - 64n, 2n ** 33n - 8n]) {
  test(`records wrap around the ring, from position ${start}`, () => {
    const kernel = new Producer(start);
    const ring = kernel.reader();
    for (let round = 0; round < 1000; round++) {
      const payload = Array.from({ length: 1 + (round % 90) }, (_, index) => (round + index) & 255);
      kernel.write(payload);
      assert.deepEqual(collect(ring), [payload]);
    }
    assert.equal(ring.fullness.used, 0);
    assert(kernel.consumed > start + 40_000n);
  });
}

test('a record whose handler throws is consumed, the later ones are not lost', () => {
  const kernel = new Producer();
  const ring = kernel.reader();
  kernel.write([1]);
  kernel.write([2]);
  assert.throws(
    () =>
      ring.drain(() => {
        throw new Error('the handler');
      }),
    /the handler/,
  );
  assert.equal(kernel.consumed, 16n);
  assert.deepEqual(collect(ring), [[2]]);
});

test('a handler cannot drain again', () => {
  const kernel = new Producer();
  const ring = kernel.reader();
  kernel.write([1]);
  assert.throws(() => ring.drain(() => ring.drain(() => undefined)), /drained already/);
});

test('a closed ring gives nothing, and releases its memory once', () => {
  const kernel = new Producer();
  const ring = kernel.reader();
  ring.close();
  ring.close();
  assert.equal(kernel.released, 1);
  assert.throws(() => ring.drain(() => undefined), /closed/);
  assert.deepEqual(ring.fullness, { used: 0, size: SIZE });
});
