/**
 * Decodes OTLP protobuf for tests, written from the public .proto files and from nothing of ours:
 * field number → [name, type]. Repeated fields end in `[]`.
 */
type Type = 'string' | 'bool' | 'uint' | 'int' | 'sint' | 'fixed64' | 'sfixed64' | 'fixed32';
type Field = readonly [name: string, type: Type | 'double' | 'hex' | 'uint packed' | Message];
interface Message {
  readonly [field: number]: Field;
}

export type Decoded = { [name: string]: unknown };

const scalarValue: Message = {
  1: ['string', 'string'],
  2: ['bool', 'bool'],
  3: ['int', 'int'],
  4: ['double', 'double'],
};
const anyValue: Message = { ...scalarValue, 5: ['array', { 1: ['values[]', scalarValue] }] };
const keyValue: Message = { 1: ['key', 'string'], 2: ['value', anyValue] };
const resource: Message = { 1: ['attributes[]', keyValue], 2: ['dropped', 'uint'] };
const scope: Message = { 1: ['name', 'string'], 2: ['version', 'string'] };
const numberPoint: Message = {
  2: ['start', 'fixed64'],
  3: ['time', 'fixed64'],
  4: ['asDouble', 'double'],
  6: ['asInt', 'sfixed64'],
  7: ['attributes[]', keyValue],
};
const buckets: Message = { 1: ['offset', 'sint'], 2: ['counts', 'uint packed'] };
const exemplar: Message = {
  2: ['time', 'fixed64'],
  3: ['asDouble', 'double'],
  4: ['spanId', 'hex'],
  5: ['traceId', 'hex'],
  6: ['asInt', 'sfixed64'],
  7: ['attributes[]', keyValue],
};
const histogramPoint: Message = {
  1: ['attributes[]', keyValue],
  2: ['start', 'fixed64'],
  3: ['time', 'fixed64'],
  4: ['count', 'fixed64'],
  5: ['sum', 'double'],
  6: ['scale', 'sint'],
  7: ['zeroCount', 'fixed64'],
  8: ['positive', buckets],
  9: ['negative', buckets],
  11: ['exemplars[]', exemplar],
  12: ['min', 'double'],
  13: ['max', 'double'],
};
const points = (point: Message): Message => ({
  1: ['points[]', point],
  2: ['temporality', 'uint'],
  3: ['monotonic', 'bool'],
});
const metric: Message = {
  1: ['name', 'string'],
  2: ['description', 'string'],
  3: ['unit', 'string'],
  5: ['gauge', points(numberPoint)],
  7: ['sum', points(numberPoint)],
  10: ['exponentialHistogram', points(histogramPoint)],
};
const logRecord: Message = {
  1: ['time', 'fixed64'],
  2: ['severityNumber', 'uint'],
  3: ['severityText', 'string'],
  5: ['body', anyValue],
  6: ['attributes[]', keyValue],
  7: ['dropped', 'uint'],
  11: ['observed', 'fixed64'],
  12: ['eventName', 'string'],
};
const span: Message = {
  1: ['traceId', 'hex'],
  2: ['spanId', 'hex'],
  5: ['name', 'string'],
  6: ['kind', 'uint'],
  7: ['start', 'fixed64'],
  8: ['end', 'fixed64'],
  9: ['attributes[]', keyValue],
};

const request = (item: Message): Message => ({
  1: [
    'resources[]',
    {
      1: ['resource', resource],
      2: ['scopes[]', { 1: ['scope', scope], 2: ['items[]', item] }],
    },
  ],
});

export const metricsRequest = request(metric);
export const logsRequest = request(logRecord);
export const tracesRequest = request(span);

/** Fields that the description does not name are left out. */
export function decode(bytes: Uint8Array, message: Message): Decoded {
  const reader = new Reader(bytes);
  const decoded: Decoded = {};
  while (!reader.done) {
    const tag = Number(reader.varint());
    const field = message[tag >>> 3];
    const raw = reader.value(tag & 7);
    if (!field) continue;
    const [name, type] = field;
    const value = interpret(raw, type);
    if (name.endsWith('[]')) {
      const list = name.slice(0, -2);
      decoded[list] ??= [];
      (decoded[list] as unknown[]).push(value);
    } else {
      decoded[name] = value;
    }
  }
  return decoded;
}

function interpret(raw: bigint | Uint8Array, type: Field[1]): unknown {
  if (raw instanceof Uint8Array) {
    if (type === 'string') return Buffer.from(raw).toString('utf8');
    if (type === 'hex') return Buffer.from(raw).toString('hex');
    if (type === 'uint packed') {
      const reader = new Reader(raw);
      const values: bigint[] = [];
      while (!reader.done) values.push(reader.varint());
      return values;
    }
    return decode(raw, type as Message);
  }
  if (type === 'bool') return raw !== 0n;
  if (type === 'sint') return (raw >> 1n) ^ -(raw & 1n);
  if (type === 'int' || type === 'sfixed64') return BigInt.asIntN(64, raw);
  if (type === 'double') {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, raw);
    return view.getFloat64(0);
  }
  return raw;
}

class Reader {
  #at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new RangeError('the message ends within a number');
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  }

  value(wireType: number): bigint | Uint8Array {
    if (wireType === 0) return this.varint();
    const size = wireType === 1 ? 8 : wireType === 5 ? 4 : Number(this.varint());
    if (wireType === 2) return this.#take(size);
    return this.#take(size).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  #take(size: number): Uint8Array {
    const bytes = this.#bytes.subarray(this.#at, this.#at + size);
    if (bytes.length < size) throw new RangeError('the message is shorter than its length says');
    this.#at += size;
    return bytes;
  }
}
