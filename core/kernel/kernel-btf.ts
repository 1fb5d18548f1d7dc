/**
 * Types of the kernel, found by name.
 *
 * vmlinux has some 130,000 types; objects for all of them (`core/bpf/btf.ts` makes them, for our
 * own small objects) would cost hundreds of milliseconds and tens of megabytes. So one pass notes
 * where each type begins and a hash of its name, two integers a type, and everything else is read
 * from the bytes when it is asked for.
 *
 * Format: Documentation/bpf/btf.rst of the kernel.
 */
import { readFileSync } from 'node:fs';
import { elfSection } from '../bpf/elf.js';
import { describeError, MemWatcherError } from '../errors.js';
import { btfInvalid, hashOf, indexTypes, Kind } from './btf-format.js';

export { Kind } from './btf-format.js';

export interface BtfMember {
  /** Empty for an anonymous struct or union. */
  readonly name: string;
  readonly type: number;
  readonly bitOffset: number;
  /** 0 unless it is a bit field. */
  readonly bitSize: number;
}

const BTF_MAGIC = 0xeb9f;
const BTF_MAGIC_SWAPPED = 0x9feb;
const ELF_MAGIC = 0x464c457f;
const HEADER_SIZE = 24;

/** Type ids are as in the file: 1 is the first, 0 is void. */
export class KernelBtf {
  readonly #words: Uint32Array;
  readonly #strings: Uint8Array;
  /** See indexTypes. */
  readonly #starts: Uint32Array;
  readonly #hashes: Uint32Array;

  /**
   * Raw BTF, as /sys/kernel/btf/vmlinux, or an ELF file with a `.BTF` section, as a vmlinux.
   * BTF_INVALID with the file's name if it is neither, is cut off, or is newer than we know.
   */
  static fromFile(file: string): KernelBtf {
    let bytes: Buffer;
    try {
      bytes = readFileSync(file);
      if (bytes.length >= 4 && bytes.readUInt32LE(0) === ELF_MAGIC) {
        const section = elfSection(bytes, '.BTF');
        if (section === undefined) throw btfInvalid(file, 'the ELF file has no .BTF section');
        bytes = Buffer.from(section);
      }
    } catch (error) {
      if (error instanceof MemWatcherError && error.hint !== undefined) throw error;
      throw btfInvalid(file, describeError(error));
    }
    return new KernelBtf(bytes, file);
  }

  constructor(
    bytes: Buffer,
    readonly file: string,
  ) {
    const magic = bytes.length < HEADER_SIZE ? undefined : bytes.readUInt16LE(0);
    if (magic === BTF_MAGIC_SWAPPED) {
      throw btfInvalid(file, 'it was made for a machine of the other byte order');
    }
    if (magic !== BTF_MAGIC) throw btfInvalid(file, 'it does not begin with a BTF header');
    const headerLength = bytes.readUInt32LE(4);
    const typeLength = bytes.readUInt32LE(12);
    const typesAt = headerLength + bytes.readUInt32LE(8);
    const stringsAt = headerLength + bytes.readUInt32LE(16);
    const stringsEnd = stringsAt + bytes.readUInt32LE(20);
    if (typesAt + typeLength > bytes.length || stringsEnd > bytes.length) {
      throw btfInvalid(file, 'it is cut off');
    }
    const types = bytes.subarray(typesAt, typesAt + typeLength);
    const aligned = types.byteOffset % 4 === 0 ? types : new Uint8Array(types);
    this.#words = new Uint32Array(aligned.buffer, aligned.byteOffset, typeLength >> 2);
    this.#strings = bytes.subarray(stringsAt, stringsEnd);
    [this.#starts, this.#hashes] = indexTypes(this.#words, this.#strings, file);
  }

  get typeCount(): number {
    return this.#starts.length;
  }

  /** Ids of the types called `name` of these kinds, in the file's order. */
  find(name: string, ...kinds: readonly number[]): number[] {
    const found: number[] = [];
    const hash = hashOf(Buffer.from(`${name}\0`, 'latin1'), 0);
    for (let at = this.#hashes.indexOf(hash); at >= 0; at = this.#hashes.indexOf(hash, at + 1)) {
      if (kinds.includes(this.kind(at + 1)) && this.name(at + 1) === name) found.push(at + 1);
    }
    return found;
  }

  /** The first enum, named or not, that has the enumerator: a walk over all types. */
  findEnumWith(enumerator: string): number | undefined {
    for (let id = 1; id <= this.typeCount; id++) {
      const kind = this.kind(id);
      if (kind !== Kind.ENUM && kind !== Kind.ENUM64) continue;
      if (this.enumerator(id, enumerator) !== undefined) return id;
    }
    return undefined;
  }

  enumerator(id: number, name: string): bigint | undefined {
    const each = this.kind(id) === Kind.ENUM64 ? 3 : 2;
    for (let n = 0; n < this.length(id); n++) {
      const string = this.#word(id, 3 + n * each);
      if (this.#strings[string] !== name.charCodeAt(0) || this.#string(string) !== name) continue;
      return this.#enumeratorValue(id, n);
    }
    return undefined;
  }

  /** Of an enum, in its order; several may have one value. */
  *enumerators(id: number): Generator<readonly [name: string, value: bigint]> {
    const each = this.kind(id) === Kind.ENUM64 ? 3 : 2;
    for (let n = 0; n < this.length(id); n++) {
      yield [this.#string(this.#word(id, 3 + n * each)), this.#enumeratorValue(id, n)];
    }
  }

  #enumeratorValue(id: number, n: number): bigint {
    const wide = this.kind(id) === Kind.ENUM64;
    const signed = this.#word(id, 1) >>> 31 === 1;
    const at = 3 + n * (wide ? 3 : 2);
    const low = BigInt(this.#word(id, at + 1));
    if (!wide) return signed ? BigInt.asIntN(32, low) : low;
    const value = (BigInt(this.#word(id, at + 2)) << 32n) | low;
    return signed ? BigInt.asIntN(64, value) : value;
  }

  name(id: number): string {
    return id === 0 ? 'void' : this.#string(this.#word(id, 0));
  }

  kind(id: number): number {
    return id === 0 ? 0 : (this.#word(id, 1) >>> 24) & 0x1f;
  }

  /** What a pointer, typedef, qualifier, array, function or prototype refers to. */
  target(id: number): number {
    return this.kind(id) === Kind.ARRAY ? this.#word(id, 3) : this.#word(id, 2);
  }

  /** Elements of an array. */
  arrayLength(id: number): number {
    return this.#word(id, 5);
  }

  /** The type behind typedefs and qualifiers. */
  strip(id: number): number {
    let at = id;
    for (let depth = 0; TRANSPARENT.has(this.kind(at)); depth++) {
      if (depth === MAX_DEPTH) throw btfInvalid(this.file, `type ${id} refers to itself`);
      at = this.target(at);
    }
    return at;
  }

  /** Bytes; undefined for what has no size, as functions and void. */
  size(id: number): number | undefined {
    const at = this.strip(id);
    switch (this.kind(at)) {
      case Kind.PTR:
        return 8;
      case Kind.ARRAY: {
        const element = this.size(this.target(at));
        return element === undefined ? undefined : element * this.arrayLength(at);
      }
      case Kind.INT:
      case Kind.STRUCT:
      case Kind.UNION:
      case Kind.ENUM:
      case Kind.ENUM64:
      case Kind.FLOAT:
        return this.#word(at, 2);
      default:
        return undefined;
    }
  }

  /** `vlen`: members, parameters or enumerators. */
  length(id: number): number {
    return this.#word(id, 1) & 0xffff;
  }

  /** Of a FWD: whether it stands for a union, not a struct. */
  isUnionForward(id: number): boolean {
    return this.#word(id, 1) >>> 31 === 1;
  }

  /** Members of a struct or union. */
  *members(id: number): Generator<BtfMember> {
    const hasBitFields = this.#word(id, 1) >>> 31 === 1;
    for (let at = 3, end = 3 + 3 * this.length(id); at < end; at += 3) {
      const offset = this.#word(id, at + 2);
      yield {
        name: this.#string(this.#word(id, at)),
        type: this.#word(id, at + 1),
        bitOffset: hasBitFields ? offset & 0xffffff : offset,
        bitSize: hasBitFields ? offset >>> 24 : 0,
      };
    }
  }

  /** Types of a FUNC_PROTO's parameters; a last 0 stands for `...`. */
  parameters(id: number): number[] {
    return Array.from({ length: this.length(id) }, (_, n) => this.#word(id, 4 + 2 * n));
  }

  #string(offset: number): string {
    const end = this.#strings.indexOf(0, offset);
    return Buffer.from(this.#strings.subarray(offset, end < 0 ? undefined : end)).toString(
      'latin1',
    );
  }

  #word(id: number, word: number): number {
    const start = this.#starts[id - 1];
    const value = start === undefined ? undefined : this.#words[start + word];
    if (value === undefined) throw btfInvalid(this.file, `it lacks type ${id}, which it refers to`);
    return value;
  }
}

/** The kernel's own bound (MAX_RESOLVE_DEPTH of kernel/bpf/btf.c is 32). */
const MAX_DEPTH = 32;
const TRANSPARENT: ReadonlySet<number> = new Set([
  Kind.TYPEDEF,
  Kind.VOLATILE,
  Kind.CONST,
  Kind.RESTRICT,
  Kind.TYPE_TAG,
]);
