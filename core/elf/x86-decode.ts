/**
 * Lengths and operands of x86-64 instructions, as far as compilers make them: enough to walk a
 * function from its entry and to see where it jumps. What is not known for certain is `undefined`,
 * and whoever walks stops there.
 */

/** Opcode maps: one byte, 0F, 0F 38, 0F 3A; and those of VEX and EVEX, which are only measured. */
export type OpcodeMap = 'one' | '0f' | '0f38' | '0f3a' | 'vector';

export interface Instruction {
  readonly length: number;
  readonly map: OpcodeMap;
  readonly opcode: number;
  /** 0 without one; bits W R X B. */
  readonly rex: number;
  /** 66, F2 and F3 that came before; segments and lock. */
  readonly prefixes: readonly number[];
  readonly modrm: ModRm | undefined;
  /** Of a relative jump or call: the distance from the instruction's end to where it goes. */
  readonly distance: number | undefined;
}

export interface ModRm {
  readonly mod: number;
  /** With REX.R. */
  readonly reg: number;
  /** With REX.B; of memory operands the base, meaningless with an index. */
  readonly rm: number;
}

const MAX_LENGTH = 15;
const PREFIXES = new Set([0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]);

/** What follows an opcode: m ModRM · b, w, z, v, o immediates of 1, 2, 2/4, 2/4/8 and 8 bytes · r, R relative of 1 and 4 · e = w b · 3 the F6/F7 group · - nothing · . unknown */
const ONE = form([
  'mmmmbz..mmmmbz..', // 00
  'mmmmbz..mmmmbz..',
  'mmmmbz..mmmmbz..', // 20
  'mmmmbz..mmmmbz..',
  '................', // 40: REX, taken before
  '----------------',
  '...m....zMbB----', // 60
  'rrrrrrrrrrrrrrrr',
  'BM.Bmmmmmmmmmmm8', // 80
  '----------.-----',
  'oooo----bz------', // a0
  'bbbbbbbbvvvvvvvv',
  'BBw-..BMe-w--b.-', // c0
  'mmmm...-mmmmmmmm',
  'rrrrbbbbRR.r----', // e0
  '.-..--33------mm',
]);

const TWO = form([
  'mmmm.----..-.m-.', // 00
  'mmmmmmmmmmmmmmmm',
  'mmmm....mmmmmmmm', // 20
  '------.-........',
  'mmmmmmmmmmmmmmmm', // 40
  'mmmmmmmmmmmmmmmm',
  'mmmmmmmmmmmmmmmm', // 60
  'BBBBmmm-....mmmm',
  'RRRRRRRRRRRRRRRR', // 80
  'mmmmmmmmmmmmmmmm',
  '---mBm..---mBmmm', // a0
  'mmmmmmmmmmBmmmmm',
  'mmBmBBBm--------', // c0
  'mmmmmmmmmmmmmmmm',
  'mmmmmmmmmmmmmmmm', // e0
  'mmmmmmmmmmmmmmmm',
]);

/** B and M: ModRM and then an immediate of 1, or of 2/4 bytes. 8: POP, or the XOP prefix. */
function form(rows: readonly string[]): string {
  return rows.join('');
}

/** The instruction at `at`; undefined if it is unknown, or goes beyond the bytes. */
export function decode(bytes: Uint8Array, at: number): Instruction | undefined {
  const reader = new Reader(bytes, at);
  const instruction = reader.instruction();
  return instruction !== undefined && reader.length <= MAX_LENGTH ? instruction : undefined;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  #at: number;
  #rex = 0;
  readonly #prefixes: number[] = [];
  #distance: number | undefined;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#start = at;
    this.#at = at;
  }

  get length(): number {
    return this.#at - this.#start;
  }

  instruction(): Instruction | undefined {
    let byte = this.#next();
    while (PREFIXES.has(byte) && this.length < MAX_LENGTH) {
      this.#prefixes.push(byte);
      byte = this.#next();
    }
    if (byte >= 0x40 && byte <= 0x4f) {
      this.#rex = byte;
      byte = this.#next();
    }
    if (byte === 0xc4 || byte === 0xc5 || byte === 0x62) return this.#vector(byte);
    if (byte !== 0x0f) return this.#finish('one', byte, ONE[byte] ?? '.');
    byte = this.#next();
    if (byte === 0x38) return this.#finish('0f38', this.#next(), 'm');
    if (byte === 0x3a) return this.#finish('0f3a', this.#next(), 'B');
    return this.#finish('0f', byte, TWO[byte] ?? '.');
  }

  /** VEX of two and of three bytes, EVEX: prefix, opcode, ModRM but of vzeroupper, immediate. */
  #vector(lead: number): Instruction | undefined {
    if (this.#rex !== 0 || this.#prefixes.some((one) => one !== 0x64 && one !== 0x65)) {
      return undefined;
    }
    const second = this.#next();
    const map = lead === 0xc5 ? 1 : lead === 0xc4 ? second & 0x1f : second & 0x07;
    const known = lead === 0x62 ? [1, 2, 3, 5, 6] : [1, 2, 3];
    if (!known.includes(map)) return undefined;
    this.#at += lead === 0xc5 ? 0 : lead === 0xc4 ? 1 : 2;
    const opcode = this.#next();
    if (map === 1 && opcode === 0x77 && lead !== 0x62) return this.#finish('vector', opcode, '-');
    const immediate =
      map === 3 ||
      (map === 1 &&
        ((opcode >= 0x70 && opcode <= 0x73) || [0xc2, 0xc4, 0xc5, 0xc6].includes(opcode)));
    return this.#finish('vector', opcode, immediate ? 'B' : 'm');
  }

  #finish(map: OpcodeMap, opcode: number, what: string): Instruction | undefined {
    if (what === '.') return undefined;
    const modrm = 'mMB38'.includes(what) ? this.#modrm() : undefined;
    if (what === '8' && modrm !== undefined && (modrm.reg & 7) !== 0) return undefined;
    if (!this.#immediates(what, opcode, modrm)) return undefined;
    if (Number.isNaN(this.length) || this.#at > this.#bytes.length) return undefined;
    return {
      length: this.length,
      map,
      opcode,
      rex: this.#rex,
      prefixes: this.#prefixes,
      modrm,
      distance: this.#distance,
    };
  }

  /** False where a prefix makes of it what is not known for certain. */
  #immediates(what: string, opcode: number, modrm: ModRm | undefined): boolean {
    const short = this.#prefixes.includes(0x66);
    const wide = (this.#rex & 8) !== 0;
    const z = short && !wide ? 2 : 4;
    switch (what) {
      case 'b':
      case 'B':
        this.#at += 1;
        return true;
      case 'z':
      case 'M':
        this.#at += z;
        return true;
      case 'v':
        this.#at += wide ? 8 : z;
        return true;
      case 'o':
        this.#at += this.#prefixes.includes(0x67) ? 4 : 8;
        return true;
      case 'w':
        this.#at += 2;
        return true;
      case 'e':
        this.#at += 3;
        return true;
      case '3':
        if (modrm !== undefined && (modrm.reg & 7) < 2) this.#at += opcode === 0xf6 ? 1 : z;
        return true;
      case 'r':
        this.#distance = this.#signed(1);
        return true;
      case 'R':
        // Makers of processors differ in what the prefix does here.
        if (short) return false;
        this.#distance = this.#signed(4);
        return true;
      default:
        return true;
    }
  }

  #modrm(): ModRm {
    const byte = this.#next();
    const mod = byte >> 6;
    const low = byte & 7;
    if (mod !== 3) {
      const base = low === 4 ? this.#next() & 7 : low;
      if (mod === 1) this.#at += 1;
      else if (mod === 2 || (mod === 0 && base === 5)) this.#at += 4;
    }
    return {
      mod,
      reg: ((byte >> 3) & 7) | ((this.#rex & 4) << 1),
      rm: low | ((this.#rex & 1) << 3),
    };
  }

  #signed(size: 1 | 4): number | undefined {
    const at = this.#at;
    this.#at += size;
    if (this.#at > this.#bytes.length) return undefined;
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at, size);
    return size === 1 ? view.getInt8(0) : view.getInt32(0, true);
  }

  /** Beyond the end: a byte that nothing begins with, and a length that is too great. */
  #next(): number {
    return this.#bytes[this.#at++] ?? 0x06;
  }
}
