import type { StructLayout } from '../../core/bpf/layout.js';
import { startTimeOf } from '../../core/identity/who.js';
import { Group } from './group.js';
import { processOffsets, threadOffsets } from './offsets.js';
import type { Activity, Memory, Process } from './process.js';

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
  /**
   * Every process that has memory of its own: no kernel threads, no zombies. The objects are the
   * decoder's: one a process as long as it lives, written anew by each pass.
   */
  readonly processes: readonly Process[];
  /** Bytes at the end that were no record; 0 unless the object and this decoder disagree. */
  readonly unreadable: number;
}

/** The bytes of one pass over all tasks → processes, with their threads added up. */
export class ProcstatDecoder {
  readonly #process: ReturnType<typeof processOffsets>;
  readonly #thread: ReturnType<typeof threadOffsets>;
  readonly #pageSize: number;
  readonly #bootTime: number;
  /** Of the last pass, by pid: thousands of objects a second would be most of a pass's cost. */
  readonly #groups = new Map<number, Group>();
  /** Of this pass, in its order. */
  readonly #leaders: Group[] = [];
  #pass = 0;

  constructor(layouts: DecoderLayouts, host: DecoderHost) {
    this.#process = processOffsets(layouts.process);
    this.#thread = threadOffsets(layouts.thread);
    this.#pageSize = host.pageSize;
    this.#bootTime = host.bootTime;
  }

  /** `stride`: bytes from one record to the next, where they do not lie close together. */
  decode(bytes: Uint8Array, stride = 0): Decoded {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#leaders.length = 0;
    this.#pass++;
    let seen = 0;
    let at = 0;
    while (at + 8 <= bytes.length) {
      const length = this.#lengthAt(view, at, bytes.length - at);
      if (length === 0) break;
      const group = this.#groupOf(view.getUint32(at + 4, true));
      if (group.pass !== this.#pass) {
        group.begin(this.#pass);
        seen++;
      }
      if (view.getUint32(at, true) === THREAD) this.#addThread(group, view, at);
      else this.#addLeader(group, at);
      at += Math.max(length, stride);
    }
    // Thread ids wrap around: a thread may have come before its leader.
    const processes: Process[] = [];
    for (const group of this.#leaders) {
      const process = this.#processOf(group, view, text);
      if (process) processes.push(process);
    }
    if (seen < this.#groups.size) this.#forget();
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

  #groupOf(pid: number): Group {
    let group = this.#groups.get(pid);
    if (!group) {
      group = new Group(pid);
      this.#groups.set(pid, group);
    }
    return group;
  }

  /** Drops those that this pass has not seen. */
  #forget(): void {
    for (const { pid, pass } of this.#groups.values()) {
      if (pass !== this.#pass) this.#groups.delete(pid);
    }
  }

  #addLeader(group: Group, at: number): void {
    if (group.leader < 0) this.#leaders.push(group);
    group.leader = at;
  }

  #addThread(group: Group, view: DataView, at: number): void {
    const o = this.#thread;
    group.threads++;
    const { activityAt } = this.#process;
    const activity = at + o.activity;
    group.voluntarySwitches += u64(view, activity + activityAt.voluntary);
    group.involuntarySwitches += u64(view, activity + activityAt.involuntary);
    group.minorFaults += u64(view, activity + activityAt.minor);
    group.majorFaults += u64(view, activity + activityAt.major);
    const unfolded = at + o.unfolded;
    group.file += view.getInt32(unfolded + 4 * FILE, true);
    group.anon += view.getInt32(unfolded + 4 * ANON, true);
    group.swap += view.getInt32(unfolded + 4 * SWAP, true);
    group.shmem += view.getInt32(unfolded + 4 * SHMEM, true);
    if (group.memory < 0 && view.getUint32(at + o.hasMemory, true) !== 0) {
      group.memory = at + o.memory;
    }
  }

  /** undefined if it has no memory. */
  #processOf(group: Group, view: DataView, text: Buffer): Process | undefined {
    const at = group.leader;
    const o = this.#process;
    const memory = view.getUint32(at + o.hasMemory, true) !== 0 ? at + o.memory : group.memory;
    if (memory < 0) return undefined;
    const startNs = u64(view, at + o.startTime);
    const startTime = startTimeOf(startNs, this.#bootTime);
    const process = group.processOf(startNs, startTime);
    process.ppid = view.getUint32(at + o.ppid, true);
    process.uid = view.getUint32(at + o.uid, true);
    process.cgroupId = u64(view, at + o.cgroup);
    process.cgroupV1 = view.getUint32(at + o.cgroupV1, true) !== 0;
    process.threads = 1 + group.threads;
    group.names.read(view, text, at + o.comm, at + o.executable, at + o.size);
    process.comm = group.names.comm;
    process.executable = group.names.executable;
    this.#readMemory(process, group, view, memory);
    this.#readActivity(process, group, view, at + o.activity);
    return process;
  }

  #readMemory(process: Memory, group: Group, view: DataView, at: number): void {
    const m = this.#process.memoryAt;
    const page = this.#pageSize;
    const counters = at + m.counters;
    process.file = page * Math.max(0, i64(view, counters + 8 * FILE) + group.file);
    process.anon = page * Math.max(0, i64(view, counters + 8 * ANON) + group.anon);
    process.swap = page * Math.max(0, i64(view, counters + 8 * SWAP) + group.swap);
    process.shmem = page * Math.max(0, i64(view, counters + 8 * SHMEM) + group.shmem);
    process.usage = process.anon + process.file + process.shmem;
    process.virtual = page * u64(view, at + m.virtual);
    // The kernel moves the high-water marks only before memory shrinks.
    process.peak = Math.max(page * u64(view, at + m.peak), process.usage);
    process.virtualPeak = Math.max(page * u64(view, at + m.virtualPeak), process.virtual);
    process.data = page * u64(view, at + m.data);
    process.stack = page * u64(view, at + m.stack);
    process.pageTables = u64(view, at + m.pageTables);
    process.locked = page * u64(view, at + m.locked);
    process.hugetlb = page * u64(view, at + m.hugetlb);
  }

  #readActivity(process: Activity, group: Group, view: DataView, at: number): void {
    const a = this.#process.activityAt;
    process.voluntarySwitches = u64(view, at + a.voluntary) + group.voluntarySwitches;
    process.involuntarySwitches = u64(view, at + a.involuntary) + group.involuntarySwitches;
    process.minorFaults = u64(view, at + a.minor) + group.minorFaults;
    process.majorFaults = u64(view, at + a.major) + group.majorFaults;
  }
}

function u64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;
}

function i64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getInt32(at + 4, true) * 0x1_0000_0000;
}
