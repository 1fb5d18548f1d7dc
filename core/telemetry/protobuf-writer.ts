const TWO_32 = 2 ** 32;
const FIRST_SIZE = 16 * 1024;

/** Protobuf's wire types. */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;

/**
 * Writes a protobuf message from its end to its beginning: the length of a nested message is known
 * when its tag is due, so nothing is measured first or moved afterwards. Fields, and the elements
 * of repeated ones, are therefore written last first, and each value before its tag.
 */
export class ProtobufWriter {
  #bytes: Buffer;
  #view: DataView;
  #start: number;

  /** `sizeHint`: a good guess saves copies. */
  constructor(sizeHint = FIRST_SIZE) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(Math.ceil(sizeHint), FIRST_SIZE));
    this.#view = new DataView(this.#bytes.buffer);
    this.#start = this.#bytes.length;
  }

  /** Bytes written so far. Take it before and after a message to know its length. */
  get length(): number {
    return this.#bytes.length - this.#start;
  }

  /** The message; a view of the writer's memory. */
  finish(): Uint8Array {
    return this.#bytes.subarray(this.#start);
  }

  /** `field` below 16. */
  tag(field: number, wireType: number): void {
    this.#byte((field << 3) | wireType);
  }

  /** Closes a nested message, string or packed field that began when `length` was `from`. */
  endBytes(field: number, from: number): void {
    this.varint(this.length - from);
    this.tag(field, BYTES);
  }

  /** A whole number, negative ones as 64 bits in two's complement. */
  varint(value: number): void {
    if (value >= 0 && value < 128) {
      this.#byte(value);
      return;
    }
    const high = Math.floor(value / TWO_32);
    this.#varint(value - high * TWO_32, high);
  }

  /** The same of 64 bits. */
  varint64(value: bigint): void {
    this.#varint(Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n)));
  }

  #varint(lowWord: number, highWord: number): void {
    let low = lowWord >>> 0;
    let high = highWord >>> 0;
    let size = 1;
    for (let l = low, h = high; h > 0 || l > 127; size++) {
      l = ((l >>> 7) | (h << 25)) >>> 0;
      h >>>= 7;
    }
    let at = this.#claim(size);
    for (; size > 1; size--) {
      this.#bytes[at++] = (low & 127) | 128;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#bytes[at] = low;
  }

  /** sint32. */
  zigzag(value: number): void {
    this.varint(((value << 1) ^ (value >> 31)) >>> 0);
  }

  /** fixed64 or sfixed64 of a whole number. */
  int64(value: number): void {
    const high = Math.floor(value / TWO_32);
    this.words(value - high * TWO_32, high);
  }

  /** A 64-bit number by its halves. */
  words(low: number, high: number): void {
    const at = this.#claim(8);
    this.#view.setUint32(at, low, true);
    this.#view.setUint32(at + 4, high, true);
  }

  double(value: number): void {
    this.#view.setFloat64(this.#claim(8), value, true);
  }

  /** A string field, tag included. */
  string(field: number, text: string): void {
    const size = Buffer.byteLength(text);
    const at = this.#claim(size);
    // latin1 only copies; utf8 has to look at each character.
    this.#bytes.write(text, at, size, size === text.length ? 'latin1' : 'utf8');
    this.varint(size);
    this.tag(field, BYTES);
  }

  /** A bytes field, tag included, of lower-case hex digits. */
  hex(field: number, digits: string): void {
    const size = digits.length / 2;
    this.#bytes.write(digits, this.#claim(size), size, 'hex');
    this.varint(size);
    this.tag(field, BYTES);
  }

  /** Writes again what was written between the lengths `from` and `to`. */
  repeat(from: number, to: number): void {
    const size = to - from;
    const at = this.#claim(size);
    const source = this.#bytes.length - to;
    this.#bytes.copyWithin(at, source, source + size);
  }

  #byte(value: number): void {
    const at = this.#claim(1);
    this.#bytes[at] = value;
  }

  #claim(size: number): number {
    if (size > this.#start) this.#grow(size);
    this.#start -= size;
    return this.#start;
  }

  #grow(size: number): void {
    const written = this.finish();
    const bytes = Buffer.allocUnsafeSlow(this.#bytes.length * 2 + size);
    this.#start = bytes.length - written.length;
    bytes.set(written, this.#start);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}
