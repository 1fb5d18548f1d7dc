import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExportResponse } from '@opentelemetry/otlp-exporter-base';
import type { Clock } from './clock.js';
import { type Batch, Spool } from './spool.js';

/** Time that passes when the test says so. */
class FakeClock implements Clock {
  readonly waits: number[] = [];
  #release: (() => void) | undefined;

  now = () => 0;
  steady = () => 0;

  wait(ms: number, signal: AbortSignal): Promise<void> {
    this.waits.push(ms);
    return new Promise((resolve) => {
      this.#release = resolve;
      signal.addEventListener('abort', () => resolve());
    });
  }

  /** Ends the pause under way. */
  async pass(): Promise<void> {
    this.#release?.();
    await settled();
  }
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
const retryable: ExportResponse = { status: 'retryable', error: new Error('away') };
const success: ExportResponse = { status: 'success' };

function spoolOf({ maxBatches = 3, maxBytes = 1000 } = {}) {
  const clock = new FakeClock();
  const fates: string[] = [];
  const sent: number[] = [];
  const endpoint = { answer: success };
  const spool = new Spool({
    transport: {
      send: async (bytes) => {
        sent.push(bytes[0] ?? -1);
        return endpoint.answer;
      },
      shutdown: () => undefined,
    },
    timeout: 1,
    maxBatches,
    maxBytes,
    clock,
    random: () => 0.5,
    onFate: ({ bytes }, fate) => fates.push(`${bytes[0]} ${fate.kind}`),
  });
  return { clock, fates, sent, endpoint, spool };
}

const batch = (id: number, size = 10): Batch => ({
  bytes: new Uint8Array(size).fill(id),
  items: 5,
});
const forever = new AbortController().signal;

test('sends in order, one at a time', async () => {
  const { spool, fates, sent } = spoolOf();
  for (const id of [1, 2, 3]) spool.push(batch(id));
  await settled();
  assert.deepEqual(sent, [1, 2, 3]);
  assert.deepEqual(fates, ['1 sent', '2 sent', '3 sent']);
  assert.equal(spool.state, 'ok');
  assert.deepEqual(spool.queued, { batches: 0, items: 0, bytes: 0 });
});

test('repeats with a growing pause, then catches up in order', async () => {
  const { spool, clock, fates, sent, endpoint } = spoolOf();
  endpoint.answer = retryable;
  spool.push(batch(1));
  spool.push(batch(2));
  await settled();
  for (let i = 0; i < 8; i++) await clock.pass();
  assert.deepEqual(clock.waits, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  assert.equal(spool.state, 'failing');
  assert.deepEqual(spool.queued, { batches: 2, items: 10, bytes: 20 });
  endpoint.answer = success;
  await clock.pass();
  assert.deepEqual(fates, ['1 sent', '2 sent']);
  assert.deepEqual(sent.slice(-2), [1, 2]);
});

test('waits as long as the endpoint asks', async () => {
  const { spool, clock, endpoint } = spoolOf();
  endpoint.answer = { status: 'retryable', retryInMillis: 12_345 };
  spool.push(batch(1));
  await settled();
  assert.deepEqual(clock.waits, [12_345]);
});

test('an endpoint that asks for a year is asked again after an hour, not without a pause', async () => {
  const { spool, clock, endpoint } = spoolOf();
  endpoint.answer = { status: 'retryable', retryInMillis: 365 * 86_400_000 };
  spool.push(batch(1));
  await settled();
  assert.deepEqual(clock.waits, [3_600_000]);
});

test('drops the oldest when there are too many', async () => {
  const { spool, clock, fates, endpoint } = spoolOf();
  endpoint.answer = retryable;
  for (const id of [1, 2, 3, 4, 5]) {
    spool.push(batch(id));
    await settled();
  }
  assert.deepEqual(fates, ['1 dropped', '2 dropped']);
  endpoint.answer = success;
  await clock.pass();
  assert.deepEqual(fates.slice(2), ['3 sent', '4 sent', '5 sent']);
});

test('drops the oldest when there are too many bytes', async () => {
  const { spool, fates, endpoint } = spoolOf({ maxBatches: 100, maxBytes: 25 });
  endpoint.answer = retryable;
  spool.push(batch(1));
  await settled();
  spool.push(batch(2));
  spool.push(batch(3));
  assert.deepEqual(fates, ['1 dropped']);
  spool.push(batch(4, 26));
  assert.deepEqual(fates, ['1 dropped', '2 dropped', '3 dropped', '4 dropped']);
  assert.deepEqual(spool.queued, { batches: 0, items: 0, bytes: 0 });
});

test('what is refused for good is not repeated, and does not hold up the rest', async () => {
  const { spool, fates, endpoint, clock } = spoolOf();
  endpoint.answer = { status: 'failure', error: new Error('401') };
  spool.push(batch(1));
  await settled();
  assert.equal(spool.state, 'failing');
  endpoint.answer = success;
  spool.push(batch(2));
  await settled();
  assert.deepEqual(fates, ['1 failed', '2 sent']);
  assert.deepEqual(clock.waits, []);
});

test('a flush does not wait for the pause to end', async () => {
  const { spool, clock, fates, endpoint } = spoolOf();
  endpoint.answer = retryable;
  spool.push(batch(1));
  await settled();
  endpoint.answer = success;
  await spool.flush(forever);
  assert.deepEqual(fates, ['1 sent']);
  assert.deepEqual(clock.waits, [1000]);
});

test('a flush of what cannot be delivered ends with its signal', async () => {
  const { spool, endpoint } = spoolOf();
  endpoint.answer = retryable;
  spool.push(batch(1));
  await settled();
  const deadline = new AbortController();
  const flushed = spool.flush(deadline.signal);
  await settled();
  deadline.abort();
  await flushed;
  assert.equal(spool.queued.batches, 1);
});

test('a flush gives an endpoint that was failing before a few tries and no more', async () => {
  const { spool, clock, sent, endpoint } = spoolOf();
  endpoint.answer = retryable;
  spool.push(batch(1));
  await settled();
  let ended = false;
  const flushed = spool.flush(forever).then(() => {
    ended = true;
  });
  while (!ended) await clock.pass();
  await flushed;
  assert.equal(sent.length, 5);
  assert.equal(spool.queued.batches, 1);
});

test('closing gives every batch a fate; twice is harmless', async () => {
  const { spool, fates, endpoint } = spoolOf();
  endpoint.answer = retryable;
  for (const id of [1, 2, 3]) spool.push(batch(id));
  await settled();
  await spool.close();
  await spool.close();
  spool.push(batch(4));
  await settled();
  assert.deepEqual(fates, ['1 dropped', '2 dropped', '3 dropped', '4 dropped']);
});
