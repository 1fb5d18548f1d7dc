/**
 * What a JIT says of the code it made: /tmp/perf-PID.map, lines of `START SIZE name` in hex, to which
 * it adds as it goes. The file is read once, then what was added; names stay in it as bytes, since
 * of a hundred thousand a few are asked for.
 */
import { read } from 'node:fs';
import { promisify } from 'node:util';

export interface JitFunction {
  readonly name: string;
  readonly start: bigint;
}

export class PerfMap {
  #text: Buffer = Buffer.alloc(0);
  /** Bytes of the text that are parsed: whole lines. */
  #parsed = 0;
  #entries: Entry[] = [];
  #sorted = true;
  #cut = false;

  /** Bytes that are held. */
  get size(): number {
    return this.#text.length + this.#entries.length * ENTRY_SIZE;
  }

  /** Whether the file is longer than is read of it. */
  get cut(): boolean {
    return this.#cut;
  }

  /** Reads what was added to the file since the last time; whole again if it became shorter. */
  async refresh(fd: number, size: number): Promise<void> {
    if (size < this.#text.length) this.#forget();
    this.#cut = size > MAX_FILE;
    const wanted = Math.min(size, MAX_FILE);
    if (wanted <= this.#text.length) return;
    const grown = Buffer.alloc(wanted);
    this.#text.copy(grown);
    let length = this.#text.length;
    while (length < wanted) {
      const piece = Math.min(SLICE, wanted - length);
      const { bytesRead } = await readPiece(fd, grown, length, piece, length);
      if (bytesRead === 0) break;
      length += bytesRead;
      this.#text = grown.subarray(0, length);
      this.#parse();
    }
  }

  /** Of several that were at one place the last: code moves, and its memory is used again. */
  find(address: bigint): JitFunction | undefined {
    this.#sort();
    const place = Number(address);
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.start ?? 0) <= place) low = middle + 1;
      else high = middle;
    }
    let best: Entry | undefined;
    for (let n = low - 1; n >= Math.max(0, low - MAX_OVERLAP); n--) {
      const entry = this.#entries[n];
      const holds = entry !== undefined && place < entry.start + entry.size;
      if (holds && (best === undefined || entry.nameAt > best.nameAt)) best = entry;
    }
    if (best === undefined) return undefined;
    const name = this.#text.toString('utf8', best.nameAt, best.nameEnd);
    return { name, start: BigInt(best.start) };
  }

  #parse(): void {
    for (;;) {
      const end = this.#text.indexOf(NEWLINE, this.#parsed);
      if (end < 0 || this.#entries.length >= MAX_ENTRIES) return;
      const head = this.#text.toString('latin1', this.#parsed, Math.min(end, this.#parsed + HEAD));
      const [all, start, size] = LINE.exec(head) ?? [];
      if (all !== undefined) {
        const nameAt = this.#parsed + all.length;
        const nameEnd = Math.min(end, nameAt + MAX_NAME);
        const numbers = {
          start: Number.parseInt(start ?? '', 16),
          size: Number.parseInt(size ?? '', 16),
        };
        this.#entries.push({ ...numbers, nameAt, nameEnd });
        this.#sorted = false;
      }
      this.#parsed = end + 1;
    }
  }

  #sort(): void {
    if (!this.#sorted) this.#entries.sort((a, b) => a.start - b.start);
    this.#sorted = true;
  }

  #forget(): void {
    this.#text = Buffer.alloc(0);
    this.#parsed = 0;
    this.#entries = [];
  }
}

interface Entry {
  readonly start: number;
  readonly size: number;
  readonly nameAt: number;
  readonly nameEnd: number;
}

/** The JDK pads its numbers to 16 digits. The name is what follows, blanks and all. */
const LINE = /^(?:0x)?0*([0-9a-f]{1,13}) +(?:0x)?0*([0-9a-f]{1,8}) +/i;
const readPiece = promisify(read);
const HEAD = 48;
const NEWLINE = 0x0a;
const MAX_NAME = 1024;
const MAX_OVERLAP = 64;
const MAX_ENTRIES = 500_000;
/** Of an entry, about, bytes. */
const ENTRY_SIZE = 56;
const SLICE = 1 << 17;
/** Bytes: a large Java program's is a tenth of it. */
const MAX_FILE = 1 << 25;
