/** The profile's bytes, by a reader of protobuf that is not ours to write with; pprof itself is e2e. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { fakeSnapshot, fakeTarget, STACKS } from './fake.js';
import { pprofBytes } from './pprof.js';

type Value = bigint | Buffer;

function fields(bytes: Buffer): [field: number, value: Value][] {
  const found: [number, Value][] = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] ?? assert.fail('cut off');
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    if ((tag & 7) === 0) {
      found.push([tag >> 3, varint()]);
    } else {
      assert.equal(tag & 7, 2, 'varints and bytes are all there is');
      const length = Number(varint());
      found.push([tag >> 3, bytes.subarray(at, at + length)]);
      at += length;
    }
  }
  assert.equal(at, bytes.length);
  return found;
}

const messages = (bytes: Buffer, field: number) =>
  fields(bytes).flatMap(([number, value]) =>
    number === field && value instanceof Buffer ? [value] : [],
  );
const numberIn = (bytes: Buffer, field: number) =>
  fields(bytes).find(([number]) => number === field)?.[1];
const strings = (bytes: Buffer) => messages(bytes, 6).map((text) => text.toString());

test('the first text is empty, each is there once, and none is hostile', () => {
  const texts = strings(gunzipSync(pprofBytes(fakeSnapshot())));
  assert.equal(texts[0], '');
  assert.equal(new Set(texts).size, texts.length);
  for (const text of texts) assert.doesNotMatch(text, /\p{Cc}|\u202e/u);
});

test('addresses keep all 64 bits', () => {
  const profile = gunzipSync(pprofBytes(fakeSnapshot()));
  const addresses = messages(profile, 4).map((location) => numberIn(location, 3));
  const wanted = STACKS.flatMap(({ reading }) => reading.frames);
  assert.deepEqual(new Set(addresses), new Set(wanted));
  assert.ok(addresses.includes(0xffffffff95127b02n));
});

test('a sample is a stack, and every id in it is declared', () => {
  const profile = gunzipSync(pprofBytes(fakeSnapshot()));
  assert.equal(messages(profile, 2).length, STACKS.length);
  const ids = (field: number) => new Set(messages(profile, field).map((one) => numberIn(one, 1)));
  for (const location of messages(profile, 4)) {
    const mapping = numberIn(location, 2);
    assert.ok(mapping === undefined || ids(3).has(mapping));
    for (const line of messages(location, 4)) assert.ok(ids(5).has(numberIn(line, 1) ?? 0n));
  }
});

test('the comments say how much of the truth the figures hold', () => {
  const coverage = { samplingInterval: 4096, missedAllocations: 10, missedFrees: 2, recorded: 90 };
  const targets = [fakeTarget({ coverage, reason: 'it is sampled' })];
  const profile = gunzipSync(pprofBytes(fakeSnapshot({ targets, omitted: 7 })));
  const texts = strings(profile);
  const comments = fields(profile).flatMap(([field, value]) =>
    field === 13 ? [texts[Number(value)]] : [],
  );
  assert.deepEqual(comments, [
    'shop (2429): one allocation in 4096 bytes, estimated; 90 % recorded, 10 allocations and 2 frees missed; it is sampled',
    '7 stacks with outstanding allocations are not in this profile',
  ]);
  assert.equal(numberIn(profile, 12), 4096n, 'the period');
});
