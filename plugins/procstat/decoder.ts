import type { StructLayout } from '../../core/bpf/layout.js';
import { processOffsets, threadOffsets } from './offsets.js';
import type { Activity, Process } from './process.js';

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
    const leaders = new Map<number, number>();
    const threads = new Map<number, Threads>();
    let at = 0;
    while (at + 8 <= bytes.length) {
      const length = this.#lengthAt(view, at, bytes.length - at);
      if (length === 0) break;
      const pid = view.getUint32(at + 4, true);
      if (view.getUint32(at, true) === PROCESS) leaders.set(pid, at);
      else this.#addThread(threads, view, at, pid);
      at += length;
    }
    // Thread ids wrap around: a thread may have come before its leader.
    const processes: Process[] = [];
    for (const [pid, leader] of leaders) {
      const process = this.#processAt(view, text, leader, pid, threads.get(pid));
      if (process) processes.push(process);
    }
    this.#names = this.#nextNames;
    this.#nextNames = new Map();
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

  #addThread(threads: Map<number, Threads>, view: DataView, at: number, pid: number): void {
    const o = this.#thread;
    let sums = threads.get(pid);
    if (!sums) {
      sums = noThreads();
      threads.set(pid, sums);
    }
    sums.count++;
    const { activityAt } = this.#process;
    const activity = at + o.activity;
    sums.voluntarySwitches += u64(view, activity + activityAt.voluntary);
    sums.involuntarySwitches += u64(view, activity + activityAt.involuntary);
    sums.minorFaults += u64(view, activity + activityAt.minor);
    sums.majorFaults += u64(view, activity + activityAt.major);
    const unfolded = at + o.unfolded;
    sums.file += view.getInt32(unfolded + 4 * FILE, true);
    sums.anon += view.getInt32(unfolded + 4 * ANON, true);
    sums.swap += view.getInt32(unfolded + 4 * SWAP, true);
    sums.shmem += view.getInt32(unfolded + 4 * SHMEM, true);
    if (sums.memory < 0 && view.getUint32(at + o.hasMemory, true) !== 0) {
      sums.memory = at + o.memory;
    }
  }

  /** undefined if it has no memory. Made in one go: thousands of these are made a collection. */
  #processAt(
    view: DataView,
    text: Buffer,
    at: number,
    pid: number,
    threads: Threads = NO_THREADS,
  ): Process | undefined {
    const o = this.#process;
    const memory = view.getUint32(at + o.hasMemory, true) !== 0 ? at + o.memory : threads.memory;
    if (memory < 0) return undefined;
    const m = o.memoryAt;
    const a = o.activityAt;
    const page = this.#pageSize;
    const counters = memory + m.counters;
    const file = page * Math.max(0, i64(view, counters + 8 * FILE) + threads.file);
    const anon = page * Math.max(0, i64(view, counters + 8 * ANON) + threads.anon);
    const swap = page * Math.max(0, i64(view, counters + 8 * SWAP) + threads.swap);
    const shmem = page * Math.max(0, i64(view, counters + 8 * SHMEM) + threads.shmem);
    const usage = anon + file + shmem;
    const virtual = page * u64(view, memory + m.virtual);
    const startNs = u64(view, at + o.startTime);
    const activity = at + o.activity;
    const names = this.#namesAt(view, text, at, pid);
    return {
      pid,
      ppid: view.getUint32(at + o.ppid, true),
      uid: view.getUint32(at + o.uid, true),
      startNs,
      startTime: this.#bootTime + Math.floor(startNs / 1e6),
      comm: names.comm,
      executable: names.executable,
      cgroupId: u64(view, at + o.cgroup),
      cgroupV1: view.getUint32(at + o.cgroupV1, true) !== 0,
      threads: 1 + threads.count,
      usage,
      // The kernel moves the high-water marks only before memory shrinks.
      peak: Math.max(page * u64(view, memory + m.peak), usage),
      virtual,
      virtualPeak: Math.max(page * u64(view, memory + m.virtualPeak), virtual),
      anon,
      file,
      shmem,
      swap,
      data: page * u64(view, memory + m.data),
      stack: page * u64(view, memory + m.stack),
      pageTables: u64(view, memory + m.pageTables),
      locked: page * u64(view, memory + m.locked),
      hugetlb: page * u64(view, memory + m.hugetlb),
      voluntarySwitches: u64(view, activity + a.voluntary) + threads.voluntarySwitches,
      involuntarySwitches: u64(view, activity + a.involuntary) + threads.involuntarySwitches,
      minorFaults: u64(view, activity + a.minor) + threads.minorFaults,
      majorFaults: u64(view, activity + a.major) + threads.majorFaults,
    };
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

/** What the other threads of a process add to it. */
interface Threads extends Activity {
  count: number;
  /** Pages that they hold back. */
  file: number;
  anon: number;
  swap: number;
  shmem: number;
  /** Where one of them tells the process's memory; -1 if none does. */
  memory: number;
}

const noThreads = (): Threads => ({
  count: 0,
  voluntarySwitches: 0,
  involuntarySwitches: 0,
  minorFaults: 0,
  majorFaults: 0,
  file: 0,
  anon: 0,
  swap: 0,
  shmem: 0,
  memory: -1,
});

const NO_THREADS: Readonly<Threads> = noThreads();

/** A loop here is quicker than a call into Buffer.compare. */
function sameWords(words: Uint32Array, view: DataView, at: number): boolean {
  for (let i = 0; i < words.length; i++) {
    if (words[i] !== view.getUint32(at + 4 * i, true)) return false;
  }
  return true;
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
