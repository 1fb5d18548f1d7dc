/** Writes BTF by hand, so that tests know what is in it. Format: Documentation/bpf/btf.rst. */

interface Tail {
  readonly kindFlag?: boolean;
  readonly vlen?: number;
  readonly words?: readonly number[];
}

export class BtfWriter {
  readonly #words: number[] = [];
  readonly #strings: Buffer[] = [Buffer.from('\0')];
  #stringLength = 1;
  #types = 0;

  /** Offset of a new string. */
  string(text: string): number {
    if (text === '') return 0;
    const at = this.#stringLength;
    const bytes = Buffer.from(`${text}\0`);
    this.#strings.push(bytes);
    this.#stringLength += bytes.length;
    return at;
  }

  /** Any type; `name` may be an offset that `string` gave. Returns its id. */
  type(kind: number, name: string | number, sizeOrType: number, tail: Tail = {}): number {
    const { kindFlag = false, vlen = 0, words = [] } = tail;
    const info = ((kindFlag ? 0x80000000 : 0) | (kind << 24) | vlen) >>> 0;
    const nameOffset = typeof name === 'number' ? name : this.string(name);
    this.#words.push(nameOffset, info, sizeOrType >>> 0, ...words);
    return ++this.#types;
  }

  int(name: string, size = 4): number {
    return this.type(1, name, size, { words: [size * 8] });
  }

  pointer(target: number): number {
    return this.type(2, '', target);
  }

  array(element: number, length: number): number {
    return this.type(3, '', 0, { words: [element, element, length] });
  }

  /** Offsets in bits; a third number makes a bit field of that many bits. */
  struct(
    name: string,
    size: number,
    members: readonly (readonly [name: string, type: number, bits: number, bitSize?: number])[],
    kind = 4,
  ): number {
    const kindFlag = members.some(([, , , bitSize]) => bitSize !== undefined);
    const words = members.flatMap(([member, type, bits, bitSize = 0]) => [
      this.string(member),
      type,
      kindFlag ? ((bitSize << 24) | bits) >>> 0 : bits,
    ]);
    return this.type(kind, name, size, { kindFlag, vlen: members.length, words });
  }

  enumeration(name: string, values: Readonly<Record<string, number>>, signed = false): number {
    const words = Object.entries(values).flatMap(([key, value]) => [this.string(key), value >>> 0]);
    return this.type(6, name, 4, { kindFlag: signed, vlen: words.length / 2, words });
  }

  enumeration64(name: string, values: Readonly<Record<string, bigint>>): number {
    const words = Object.entries(values).flatMap(([key, value]) => [
      this.string(key),
      Number(value & 0xffffffffn),
      Number((value >> 32n) & 0xffffffffn),
    ]);
    return this.type(19, name, 8, { vlen: words.length / 3, words });
  }

  typedef(name: string, target: number): number {
    return this.type(8, name, target);
  }

  function(name: string, parameters: readonly number[], returns = 0): number {
    const prototype = this.prototype(parameters, returns);
    return this.type(12, name, prototype);
  }

  prototype(parameters: readonly number[], returns = 0): number {
    const words = parameters.flatMap((type) => [0, type]);
    return this.type(13, '', returns, { vlen: parameters.length, words });
  }

  build(): Buffer {
    const header = Buffer.alloc(24);
    const types = Buffer.from(Uint32Array.from(this.#words).buffer);
    header.writeUInt16LE(0xeb9f, 0);
    header.writeUInt8(1, 2);
    header.writeUInt32LE(24, 4);
    header.writeUInt32LE(types.length, 12);
    header.writeUInt32LE(types.length, 16);
    header.writeUInt32LE(this.#stringLength, 20);
    return Buffer.concat([header, types, ...this.#strings]);
  }
}
