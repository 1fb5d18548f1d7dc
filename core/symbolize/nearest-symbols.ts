/**
 * The text of /proc/kallsyms, fed in pieces, searched for the functions at some addresses.
 *
 * A line is `ADDRESS TYPE NAME`, with `\t[MODULE]` behind for what is not in the kernel's image. Only
 * what may be an answer is kept: each address divides the symbols into those below and above it,
 * and of those below the highest is remembered.
 */

export interface KernelFunction {
  readonly name: string;
  /** Where it begins. */
  readonly start: bigint;
  readonly module: string | undefined;
}

export class NearestSymbols {
  readonly #targets: readonly bigint[];
  // An address as two halves, because a double cannot hold it and a bigint a line is slow.
  readonly #high: Uint32Array;
  readonly #low: Uint32Array;
  /** By target: the highest symbol that is at or below it, and above the target before it. */
  readonly #best: (Candidate | undefined)[];
  /** Those of the piece at hand, whose names have not been read out of it yet. */
  readonly #fresh = new Set<Candidate>();
  /** The beginning of a line of which the rest comes with the next piece. */
  #cut: Buffer = EMPTY;
  #symbols = 0;
  #shown = 0;

  constructor(targets: Iterable<bigint>) {
    this.#targets = [...new Set(targets)].sort((a, b) => (a < b ? -1 : 1));
    this.#high = Uint32Array.from(this.#targets, (target) => Number((target >> 32n) & MASK));
    this.#low = Uint32Array.from(this.#targets, (target) => Number(target & MASK));
    this.#best = this.#targets.map(() => undefined);
  }

  /** The file has symbols, and not one with an address. */
  get hidden(): boolean {
    return this.#symbols > 0 && this.#shown === 0;
  }

  /** The next piece of the file, cut anywhere. The bytes may be overwritten afterwards. */
  feed(piece: Buffer): void {
    const end = this.#cut.length === 0 ? 0 : piece.indexOf(NEWLINE) + 1 || piece.length;
    if (end > 0) this.#cut = this.#scan(Buffer.concat([this.#cut, piece.subarray(0, end)]));
    if (end < piece.length) this.#cut = this.#scan(piece.subarray(end));
  }

  /** By target, the function that it lies in; absent if none is known. */
  end(): Map<bigint, KernelFunction> {
    if (this.#cut.length > 0) this.feed(Buffer.of(NEWLINE));
    const found = new Map<bigint, KernelFunction>();
    let below: Candidate | undefined;
    for (const [n, target] of this.#targets.entries()) {
      below = this.#best[n] ?? below;
      const known = below && functionAt(below, target);
      if (known) found.set(target, known);
    }
    return found;
  }

  /** Whole lines; a copy of what is behind the last of them. */
  #scan(bytes: Buffer): Buffer {
    let at = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
      this.#line(bytes, at, end);
      at = end + 1;
    }
    for (const candidate of this.#fresh) candidate.text = textOf(bytes, candidate);
    this.#fresh.clear();
    // Of a line without end its beginning is enough, however many pieces it has.
    return Buffer.from(bytes.subarray(at, at + MAX_LINE));
  }

  /** Takes the symbol if it is nearer to a target than what was seen before. */
  #line(bytes: Buffer, from: number, to: number): void {
    let high = 0;
    let low = 0;
    let at = from;
    for (let digit = digitOf(bytes[at]); digit >= 0; digit = digitOf(bytes[++at])) {
      high = ((high << 4) | (low >>> 28)) >>> 0;
      low = ((low << 4) | digit) >>> 0;
    }
    const digits = at - from;
    const isSymbol = bytes[at] === SPACE && bytes[at + 2] === SPACE && at + 3 < to;
    if (!isSymbol || digits === 0 || digits > 16) return;
    this.#symbols++;
    if (high === 0 && low === 0) return;
    this.#shown++;
    const slot = this.#slot(high, low);
    const best = this.#best[slot];
    const isCode = CODE.has(bytes[at + 1] ?? 0);
    const order = best === undefined ? 1 : high - best.high || low - best.low;
    // Of several at one address the first is the kernel's own choice.
    if (order < 0 || (order === 0 && (best?.isCode === true || !isCode))) return;
    if (slot === this.#targets.length) return;
    const candidate = best ?? { high, low, isCode, from: 0, to: 0, text: '' };
    Object.assign(candidate, { high, low, isCode, from: at + 3, to });
    this.#best[slot] = candidate;
    this.#fresh.add(candidate);
  }

  /** The lowest target that is not below the address. */
  #slot(high: number, low: number): number {
    let from = 0;
    let to = this.#targets.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const order = (this.#high[middle] ?? 0) - high || (this.#low[middle] ?? 0) - low;
      if (order < 0) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

interface Candidate {
  high: number;
  low: number;
  isCode: boolean;
  /** Where the name, and the module if any, stand in the piece at hand. */
  from: number;
  to: number;
  text: string;
}

const EMPTY = Buffer.alloc(0);
const NEWLINE = 0x0a;
const SPACE = 0x20;
const MASK = 0xffff_ffffn;
/** The kernel's names have up to 511 bytes (KSYM_NAME_LEN), a module's 55. */
const MAX_LINE = 1024;
const MAX_NAME = 511;
/** As nm prints them; weak functions too. */
const CODE: ReadonlySet<number> = new Set(Buffer.from('tTwW'));
/** Symbols that are where code ends, and no function. */
const ENDS: ReadonlySet<string> = new Set(['_etext', '_einittext']);
/** The kernel does not say how long a module's function is; this is longer than any. */
const MAX_MODULE_FUNCTION = 1n << 18n;

function digitOf(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  return byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : -1;
}

/** What is not printable could only come from a module of ill will, and goes to terminals. */
function textOf(bytes: Buffer, { from, to }: Candidate): string {
  return bytes.toString('latin1', from, Math.min(to, from + MAX_LINE)).replace(UNPRINTABLE, '?');
}
const UNPRINTABLE = /[^\t\x21-\x7e]/g;

function functionAt(candidate: Candidate, target: bigint): KernelFunction | undefined {
  const { high, low, isCode, text } = candidate;
  const [whole = '', bracketed = ''] = text.split('\t');
  const name = whole.slice(0, MAX_NAME);
  const module = /^\[(.*)\]$/.exec(bracketed)?.[1];
  const start = (BigInt(high) << 32n) | BigInt(low);
  if (!isCode || name === '' || ENDS.has(name)) return undefined;
  if (module !== undefined && target - start >= MAX_MODULE_FUNCTION) return undefined;
  return { name, start, module };
}
