import { readSync } from 'node:fs';
import { pageSize } from '../../../core/identity/host.js';
import { type Area, isDevice, isPresent, parseAreas, runsOf } from './areas.js';
import type { Memory, Span } from './marker.js';
import type { Unread } from './scan-wire.js';

export interface TargetFiles {
  /** Descriptors of /proc/PID/mem, maps and pagemap. */
  readonly mem: number;
  readonly maps: number;
  readonly pagemap: number;
}

export interface AreaRun extends Span {
  readonly area: Area;
  readonly isSwapped: boolean;
}

/**
 * The memory of a process that runs on meanwhile: what `runs` has of it, and zero elsewhere, so that nothing
 * is paged in. What of it cannot be read is counted, and zero.
 */
export class TargetMemory implements Memory {
  readonly #files: TargetFiles;
  readonly #unread = new Map<string, number>();
  #runs: readonly AreaRun[] = [];
  /** Of the run that was read last: most reads go on there. */
  #at = 0;
  /** Bytes. */
  bytesRead = 0;

  constructor(files: TargetFiles) {
    this.#files = files;
  }

  get unread(): readonly Unread[] {
    return [...this.#unread].map(([path, bytes]) => ({ path, bytes }));
  }

  /** Ascending. Nothing else is read from now on. */
  set runs(runs: readonly AreaRun[]) {
    this.#runs = runs;
    this.#at = 0;
  }

  read(address: number, into: Uint8Array, length: number): void {
    const end = address + length;
    let filled = address;
    for (let n = this.#runAfter(address); n < this.#runs.length; n++) {
      const run = this.#runs[n] as AreaRun;
      if (run.start >= end) break;
      const from = Math.max(run.start, address);
      const to = Math.min(run.end, end);
      into.fill(0, filled - address, from - address);
      this.#readRun(run, from, into, from - address, to - from);
      filled = to;
      this.#at = n;
    }
    into.fill(0, filled - address, length);
  }

  /** The first that ends after the address. */
  #runAfter(address: number): number {
    const near = this.#runs[this.#at];
    if (near && near.start <= address && address < near.end) return this.#at;
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#runs[middle] as AreaRun).end <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #readRun(run: AreaRun, address: number, into: Uint8Array, place: number, length: number): void {
    for (let at = 0; at < length; ) {
      const read = this.#piece(address + at, into, place + at, length - at);
      at += read;
      this.bytesRead += read;
      if (at >= length) return;
      // The rest of a page that cannot be read. One that has gone meanwhile holds nothing.
      const next = Math.min(length, at + PAGE - ((address + at) % PAGE));
      into.fill(0, place + at, place + next);
      const page = Math.floor((address + at) / PAGE);
      if (isPresent(readEntries(this.#files.pagemap, page, 1))) this.miss(run.area.path, next - at);
      at = next;
    }
  }

  miss(path: string, bytes: number): void {
    this.#unread.set(path, (this.#unread.get(path) ?? 0) + bytes);
  }

  #piece(address: number, into: Uint8Array, at: number, length: number): number {
    try {
      return readSync(this.#files.mem, into, at, length, address);
    } catch {
      return 0;
    }
  }
}

/** What is to be read, in order. */
export function runsOfTarget({ maps, pagemap }: TargetFiles, memory: TargetMemory): AreaRun[] {
  return parseAreas(readAll(maps)).flatMap((area) => {
    const pages = (area.end - area.start) / PAGE;
    if (pages > MOST_PAGES || isDevice(area)) {
      if (area.isWritable) memory.miss(area.path, area.end - area.start);
      return [];
    }
    return piecesOf(pages).flatMap(([first, count]) => {
      const start = area.start + first * PAGE;
      const part = { ...area, start, end: start + count * PAGE };
      const runs = runsOf(part, readEntries(pagemap, start / PAGE, count), PAGE);
      return runs.map((run) => ({ ...run, area }));
    });
  });
}

/** A reservation has as many entries as any memory: they are read a few at a time. */
function piecesOf(pages: number): [first: number, count: number][] {
  const pieces: [number, number][] = [];
  for (let first = 0; first < pages; first += ENTRIES) {
    pieces.push([first, Math.min(ENTRIES, pages - first)]);
  }
  return pieces;
}

function readEntries(pagemap: number, page: number, count: number): Uint32Array {
  const bytes = new Uint8Array(count * 8);
  const read = readSync(pagemap, bytes, 0, bytes.length, page * 8);
  return new Uint32Array(bytes.buffer, 0, (read >>> 3) * 2);
}

function readAll(fd: number): string {
  const parts: Buffer[] = [];
  for (;;) {
    const part = Buffer.alloc(1 << 16);
    const read = readSync(fd, part);
    if (read === 0) return Buffer.concat(parts).toString('utf8');
    parts.push(part.subarray(0, read));
  }
}

const PAGE = pageSize();
const ENTRIES = 1 << 16;
/** Of an area: to read the entries of terabytes takes seconds. */
const MOST_PAGES = 1 << 24;
