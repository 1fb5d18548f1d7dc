import type { BpfMap, BpfObject, MappedArray } from '../../../core/bpf/host.js';
import type { StructLayout } from '../../../core/bpf/layout.js';
import { LiveArray, LiveColumns } from '../../../core/bpf/live-columns.js';
import { MemWatcherError } from '../../../core/errors.js';
import type { Scope } from '../../../core/scope.js';
import type { ProcessId } from '../model.js';
import { coarsen } from './code-ranges.js';
import type { Unwinding } from './unwind-rows.js';
import { type CodeRange, MAX_RANGES } from './user-watch.js';

/** enum ml_target_state. */
const UNUSED = 0;
const FOLLOWED = 1;
const FORGOTTEN = 2;
const RANGE_SIZE = 40;
/** Begins no code; the kernel's search for a range ends before it. */
const NOWHERE = 0xffff_ffff_ffff_ffffn;
/** Passes over all that refers to a target before its number may be another's. */
const PASSES = 2;

/** What is counted of a target. */
export interface TargetCounts {
  readonly hits: number;
  readonly recorded: number;
  readonly unknownFrees: number;
  readonly missedAllocations: number;
  readonly missedBytes: number;
  readonly missedFrees: number;
  readonly approximations: number;
  readonly interrupted: number;
  readonly withoutSlot: number;
}

/** A process by the number that the kernel's side knows it by. */
export interface FollowedTarget {
  readonly number: number;
  readonly process: ProcessId;
}

/** The processes that are followed, in memory that is shared with the programs. */
export class TargetTable {
  readonly #followed: BpfMap;
  readonly #memory: MappedArray;
  readonly #view: DataView;
  readonly #live: LiveArray;
  readonly #layout: StructLayout;
  readonly #counts: (row: number) => TargetCounts;
  readonly #byPid = new Map<number, FollowedTarget>();
  readonly #byNumber = new Map<number, FollowedTarget>();
  readonly #free: number[];
  /** By number: passes since. */
  readonly #forgotten = new Map<number, number>();
  /** Hits never fall, though a thread's are looked for twice while it exits. */
  readonly #most = new Map<number, { hits: number; recorded: number }>();

  /** `unwinding`: how the frames of a range are undone, for a target's number. */
  constructor(
    object: BpfObject,
    scope: Scope,
    private readonly unwinding: (range: CodeRange, target: number) => Unwinding | undefined,
  ) {
    this.#followed = object.map('followed');
    this.#memory = scope.use(object.map('targets').mapped());
    const { buffer, byteOffset, byteLength } = this.#memory.bytes;
    this.#view = new DataView(buffer, byteOffset, byteLength);
    this.#live = new LiveArray(this.#memory);
    this.#layout = object.layout('ml_target');
    this.#counts = countsReader(new LiveColumns(this.#layout, this.#memory));
    this.#free = Array.from({ length: this.#memory.entries }, (_, n) => n);
  }

  get all(): Iterable<FollowedTarget> {
    return this.#byPid.values();
  }

  of({ pid, startTime }: ProcessId): FollowedTarget | undefined {
    const known = this.#byPid.get(pid);
    return known?.process.startTime === startTime ? known : undefined;
  }

  withNumber(number: number): FollowedTarget | undefined {
    return this.#byNumber.get(number);
  }

  /** Whether it is seen to allocate: not since it runs another program, until it is added again. */
  isSeen({ number, process }: FollowedTarget): boolean {
    const found = this.#followed.lookup(u32(process.pid));
    return (
      found !== undefined &&
      new DataView(found.buffer, found.byteOffset).getUint32(0, true) === number
    );
  }

  /** BPF_MAP_FAILED if there are too many. `interval`: as `setInterval`. */
  add(process: ProcessId, code: readonly CodeRange[], interval: number): FollowedTarget {
    const number = this.#free.shift();
    if (number === undefined) {
      const message = `cannot follow ${process.pid}: ${this.#memory.entries} processes are followed`;
      throw new MemWatcherError('BPF_MAP_FAILED', message, {
        hint: 'raise plugins.memleak.max_targets',
      });
    }
    const target = { number, process };
    this.#bytes(number).fill(0);
    this.#view.setBigUint64(this.#at(number, 'start_time'), BigInt(process.startTime), true);
    this.#view.setUint32(this.#at(number, 'pid'), process.pid, true);
    this.setCode(target, code);
    this.setInterval(target, interval);
    this.#setState(number, FOLLOWED);
    this.#byPid.set(process.pid, target);
    this.#byNumber.set(number, target);
    return target;
  }

  /** From now on the target's threads are seen. */
  admit({ number, process }: FollowedTarget): void {
    this.#followed.update(u32(process.pid), u32(number));
  }

  /** Whose links it is seen by; 0: its own. Two, for as long as it has links of both. */
  setGroups({ number }: FollowedTarget, group: number, also: number): void {
    this.#live.storeU32(this.#at(number, 'group'), ((also << 16) | group) >>> 0);
  }

  /** Mean bytes between samples, whole; 0: all are recorded. */
  setInterval({ number }: FollowedTarget, interval: number): void {
    this.#live.storeU64(this.#at(number, 'interval'), BigInt(interval));
  }

  /** Into the set that nobody reads, which then becomes the one that is read. */
  setCode({ number }: FollowedTarget, code: readonly CodeRange[]): void {
    const view = this.#view;
    const ranges = coarsen(code, MAX_RANGES);
    const which = 1 - (this.#live.u32(this.#at(number, 'which')) & 1);
    const from = this.#at(number, 'code') + which * MAX_RANGES * RANGE_SIZE;
    for (let n = 0; n < MAX_RANGES; n++) {
      const range = ranges[n] ?? { start: NOWHERE, end: 0n };
      const { bias = 0n, first = 0, rows = 0 } = this.unwinding(range, number) ?? {};
      const at = from + n * RANGE_SIZE;
      view.setBigUint64(at, range.start, true);
      view.setBigUint64(at + 8, range.end, true);
      view.setBigUint64(at + 16, BigInt.asUintN(64, bias), true);
      view.setUint32(at + 24, 0, true);
      view.setUint32(at + 28, first, true);
      view.setUint32(at + 32, rows, true);
    }
    this.#live.storeU32(this.#at(number, 'which'), which);
  }

  remove(target: FollowedTarget): void {
    const { number, process } = target;
    this.#setState(number, FORGOTTEN);
    if (this.isSeen(target)) this.#followed.delete(u32(process.pid));
    this.#byPid.delete(process.pid);
    this.#byNumber.delete(number);
    this.#most.delete(number);
    this.#forgotten.set(number, 0);
  }

  /** Whether more numbers wait to be free than are. */
  get isCrowded(): boolean {
    return this.#forgotten.size > this.#free.length;
  }

  /** How many await passes before their numbers are free. */
  get forgotten(): number {
    return this.#forgotten.size;
  }

  /** A pass over threads and allocations has ended; which numbers nothing refers to any more. */
  passed(): number[] {
    const gone: number[] = [];
    for (const [number, passes] of this.#forgotten) {
      if (passes + 1 < PASSES) {
        this.#forgotten.set(number, passes + 1);
        continue;
      }
      this.#forgotten.delete(number);
      gone.push(number);
    }
    return gone;
  }

  /** Its number may be another's. */
  release(number: number): void {
    this.#setState(number, UNUSED);
    this.#free.push(number);
  }

  /** What living threads count is summed up anew by the next pass over them. */
  clearPresent(): void {
    for (const { number } of this.all) {
      const at = this.#at(number, 'present');
      this.#memory.bytes.fill(0, at, at + 24);
    }
  }

  counts({ number }: FollowedTarget): TargetCounts {
    const counts = this.#counts(number);
    const most = this.#most.get(number) ?? { hits: 0, recorded: 0 };
    const hits = Math.max(most.hits, counts.hits);
    const recorded = Math.max(most.recorded, counts.recorded);
    this.#most.set(number, { hits, recorded });
    return { ...counts, hits, recorded };
  }

  #setState(number: number, state: number): void {
    this.#live.storeU32(this.#at(number, 'state'), state);
  }

  #bytes(number: number): Uint8Array {
    const { bytes, stride } = this.#memory;
    return bytes.subarray(number * stride, (number + 1) * stride);
  }

  #at(number: number, member: string): number {
    const field = this.#layout.fields.find(({ name }) => name === member);
    if (field) return number * this.#memory.stride + field.offset;
    throw new MemWatcherError('LAYOUT_INVALID', `ml_target has no ${member}`);
  }
}

function countsReader(rows: LiveColumns): (row: number) => TargetCounts {
  const column = (path: string) => rows.column(path);
  const both = (member: string) => {
    const gone = column(`gone.${member}`);
    const present = column(`present.${member}`);
    return { at: (row: number) => gone.at(row) + present.at(row) };
  };
  const columns = {
    hits: both('hits'),
    recorded: both('recorded'),
    unknownFrees: both('unknown_frees'),
    missedAllocations: column('missed_allocations'),
    missedBytes: column('missed_bytes'),
    missedFrees: column('missed_frees'),
    approximations: column('approximations'),
    interrupted: column('interrupted'),
    withoutSlot: column('without_slot'),
  };
  return (row) => ({
    hits: columns.hits.at(row),
    recorded: columns.recorded.at(row),
    unknownFrees: columns.unknownFrees.at(row),
    missedAllocations: columns.missedAllocations.at(row),
    missedBytes: columns.missedBytes.at(row),
    missedFrees: columns.missedFrees.at(row),
    approximations: columns.approximations.at(row),
    interrupted: columns.interrupted.at(row),
    withoutSlot: columns.withoutSlot.at(row),
  });
}

export const u32 = (...values: readonly number[]): Uint8Array =>
  new Uint8Array(new Uint32Array(values).buffer);
