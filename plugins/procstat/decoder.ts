import type { StructLayout } from '../../core/bpf/layout.js';
import { type activityOffsets, processOffsets, threadOffsets } from './offsets.js';
import { type Activity, noFigures, type Process } from './process.js';

/** enum procstat_kind */
const PROCESS = 1;
const THREAD = 2;

/** enum mm_counter */
const FILE = 0;
const ANON = 1;
const SWAP = 2;
const SHMEM = 3;

export interface DecoderLayouts {
  /** struct procstat_process */
  readonly process: StructLayout;
  /** struct procstat_thread */
  readonly thread: StructLayout;
}

export interface DecoderHost {
  /** Bytes. */
  readonly pageSize: number;
  /** Unix ms. */
  readonly bootTime: number;
}

export interface Decoded {
  /** Every process that has memory of its own: no kernel threads, no zombies. */
  readonly processes: Process[];
  /** Bytes at the end that were no record; 0 unless the object and this decoder disagree. */
  readonly unreadable: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The bytes of one pass of the iterator → processes, with their threads added up. */
export class ProcstatDecoder {
  readonly #process: ReturnType<typeof processOffsets>;
  readonly #thread: ReturnType<typeof threadOffsets>;
  readonly #pageSize: number;
  readonly #bootTime: number;
  /** Names repeat from pass to pass: the text of the same bytes is kept by pid. */
  #names = new Map<number, Names>();
  #nextNames = new Map<number, Names>();

  constructor(layouts: DecoderLayouts, host: DecoderHost) {
    this.#process = processOffsets(layouts.process);
    this.#thread = threadOffsets(layouts.thread);
    this.#pageSize = host.pageSize;
    this.#bootTime = host.bootTime;
  }

  decode(bytes: Uint8Array): Decoded {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const found = new Map<number, Pending>();
    const early: number[] = [];
    let at = 0;
    while (at + 8 <= bytes.length) {
      const length = this.#lengthAt(view, at, bytes.length - at);
      if (length === 0) break;
      const pid = view.getUint32(at + 4, true);
      if (view.getUint32(at, true) === PROCESS) {
        found.set(pid, this.#leader(view, text, at, pid));
      } else {
        const pending = found.get(pid);
        // Thread ids wrap around: a thread may come before its leader.
        if (pending) this.#addThread(pending, view, at);
        else early.push(at);
      }
      at += length;
    }
    for (const offset of early) {
      const pending = found.get(view.getUint32(offset + 4, true));
      if (pending) this.#addThread(pending, view, offset);
    }
    this.#names = this.#nextNames;
    this.#nextNames = new Map();
    const processes: Process[] = [];
    for (const pending of found.values())
      if (this.#finish(pending)) processes.push(pending.process);
    return { processes, unreadable: bytes.length - at };
  }

  /** Bytes of the record at `at`, or 0 if it is none or is cut off. */
  #lengthAt(view: DataView, at: number, left: number): number {
    const kind = view.getUint32(at, true);
    let length = 0;
    if (kind === PROCESS) length = this.#process.size;
    if (kind === THREAD && left >= this.#thread.memory) {
      const whole = view.getUint32(at + this.#thread.hasMemory, true) !== 0;
      length = whole ? this.#thread.size : this.#thread.memory;
    }
    return length <= left ? length : 0;
  }

  #leader(view: DataView, text: Buffer, at: number, pid: number): Pending {
    const o = this.#process;
    const startNs = u64(view, at + o.startTime);
    const names = this.#namesAt(view, text, at, pid);
    const process: Mutable<Process> = {
      pid,
      ppid: view.getUint32(at + o.ppid, true),
      uid: view.getUint32(at + o.uid, true),
      startNs,
      startTime: this.#bootTime + Math.floor(startNs / 1e6),
      comm: names.comm,
      executable: names.executable,
      cgroupId: u64(view, at + o.cgroup),
      cgroupV1: view.getUint32(at + o.cgroupV1, true) !== 0,
      threads: 1,
      ...noFigures(),
    };
    addActivity(process, view, at + o.activity, o.activityAt);
    const memory = view.getUint32(at + o.hasMemory, true) !== 0 ? at + o.memory : -1;
    return { process, view, memory, unfolded: [0, 0, 0, 0] };
  }

  #addThread(pending: Pending, view: DataView, at: number): void {
    const o = this.#thread;
    pending.process.threads++;
    addActivity(pending.process, view, at + o.activity, this.#process.activityAt);
    for (let counter = 0; counter < 4; counter++) {
      pending.unfolded[counter] =
        (pending.unfolded[counter] ?? 0) + view.getInt32(at + o.unfolded + 4 * counter, true);
    }
    if (pending.memory < 0 && view.getUint32(at + o.hasMemory, true) !== 0) {
      pending.memory = at + o.memory;
    }
  }

  /** Bytes from pages; false if the process has no memory. */
  #finish({ process, view, memory, unfolded }: Pending): boolean {
    if (memory < 0) return false;
    const o = this.#process.memoryAt;
    const page = this.#pageSize;
    const pages = (offset: number) => u64(view, memory + offset) * page;
    const resident = (counter: number) => {
      const value = i64(view, memory + o.counters + 8 * counter) + (unfolded[counter] ?? 0);
      return value > 0 ? value * page : 0;
    };
    process.file = resident(FILE);
    process.anon = resident(ANON);
    process.swap = resident(SWAP);
    process.shmem = resident(SHMEM);
    process.usage = process.anon + process.file + process.shmem;
    // The kernel moves the high-water marks only before memory shrinks.
    process.peak = Math.max(pages(o.peak), process.usage);
    process.virtual = pages(o.virtual);
    process.virtualPeak = Math.max(pages(o.virtualPeak), process.virtual);
    process.data = pages(o.data);
    process.stack = pages(o.stack);
    process.locked = pages(o.locked);
    process.hugetlb = pages(o.hugetlb);
    process.pageTables = u64(view, memory + o.pageTables);
    return true;
  }

  #namesAt(view: DataView, text: Buffer, at: number, pid: number): Names {
    const { comm, executable, size } = this.#process;
    const known = this.#names.get(pid);
    if (known && sameWords(known.words, view, at + comm)) {
      this.#nextNames.set(pid, known);
      return known;
    }
    const words = new Uint32Array((size - comm) >> 2);
    for (let i = 0; i < words.length; i++) words[i] = view.getUint32(at + comm + 4 * i, true);
    const name = chars(text, at + comm, at + executable);
    const names = {
      words,
      comm: name,
      executable: chars(text, at + executable, at + size) || name,
    };
    this.#nextNames.set(pid, names);
    return names;
  }
}

interface Names {
  /** The bytes of both names. */
  readonly words: Uint32Array;
  readonly comm: string;
  readonly executable: string;
}

interface Pending {
  readonly process: Process;
  readonly view: DataView;
  /** Where its memory is in the bytes, -1 until known. */
  memory: number;
  /** Pages that its threads hold back, by enum mm_counter. */
  readonly unfolded: number[];
}

/** A loop here is quicker than a call into Buffer.compare. */
function sameWords(words: Uint32Array, view: DataView, at: number): boolean {
  for (let i = 0; i < words.length; i++) {
    if (words[i] !== view.getUint32(at + 4 * i, true)) return false;
  }
  return true;
}

function addActivity(
  to: Activity,
  view: DataView,
  at: number,
  o: ReturnType<typeof activityOffsets>,
): void {
  to.voluntarySwitches += u64(view, at + o.voluntary);
  to.involuntarySwitches += u64(view, at + o.involuntary);
  to.minorFaults += u64(view, at + o.minor);
  to.majorFaults += u64(view, at + o.major);
}

function u64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;
}

function i64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getInt32(at + 4, true) * 0x1_0000_0000;
}

/** `char[n]`: ends at the first NUL. Bytes that are no UTF-8 become U+FFFD. */
function chars(text: Buffer, from: number, to: number): string {
  const end = text.indexOf(0, from);
  return text.toString('utf8', from, end < 0 || end > to ? to : end);
}
