import type { Column } from '../../../core/bpf/columns.js';
import type { BpfMap, BpfObject, MappedArray } from '../../../core/bpf/host.js';
import { LiveArray, LiveColumns } from '../../../core/bpf/live-columns.js';
import type { Scope } from '../../../core/scope.js';
import type { Ages, Reading } from '../model.js';
import { agesReader, depthOf, ONE } from './decoder.js';
import { type FollowedTarget, u32 } from './target-table.js';

/** ML_AGES. */
const AGES = 32;
/** Beyond it a double holds no whole number. */
const EXACT = 2 ** 53;
/** A sum of 64 bits is taken for one below 0 from here on: a sample was freed before it was counted. */
const BELOW_ZERO = 2 ** 64 * (15 / 16);
/** Below this share of spare slots those of stacks without allocations are given back. */
const LOW = 0.25;
/** ms between the steps in which one is given back: much longer than a program runs. */
const STEP = 500;

/** What does not change while a slot is one stack's. */
interface Stack {
  readonly target: number;
  readonly hash: bigint;
  readonly key: string;
  readonly frames: readonly bigint[];
  readonly depth: Reading['depth'];
  readonly first: number;
}

/** A slot on its way back: its key is gone from the index (1), the slot itself says nothing (2). */
interface Leaving {
  step: 1 | 2;
  readonly allocated: number;
  readonly since: number;
}

export interface SlotReading {
  readonly target: FollowedTarget;
  readonly reading: Reading;
}

/** Stacks and the sums of their allocations, in memory that is shared with the programs. */
export class SlotTable {
  readonly #memory: MappedArray;
  readonly #live: LiveArray;
  readonly #ages: MappedArray;
  readonly #stacks: LiveArray;
  readonly #stackStride: number;
  readonly #firstFrame: number;
  readonly #sites: BpfMap;
  readonly #spare: BpfMap;
  readonly #columns: ReturnType<typeof columnsOf>;
  readonly #stackColumns: ReturnType<typeof stackColumnsOf>;
  readonly #agesOf: (row: number) => Ages | undefined;
  readonly #known: (Stack | undefined)[] = [];
  readonly #leaving = new Map<number, Leaving>();
  #serial = 0;
  #used = 0;
  /** Entries that were reported to hold something: they are reported once more when they do not. */
  readonly #reported = new Set<string>();

  /** `others`: the first slots, one a target, for what found no slot of its own. */
  constructor(
    object: BpfObject,
    scope: Scope,
    readonly others: number,
  ) {
    this.#memory = scope.use(object.map('slots').mapped());
    this.#ages = scope.use(object.map('ages').mapped());
    const stacks = scope.use(object.map('stacks').mapped());
    this.#live = new LiveArray(this.#memory);
    this.#stacks = new LiveArray(stacks);
    this.#stackStride = stacks.stride;
    const layout = object.layout('ml_stack');
    this.#firstFrame = layout.fields.find(({ name }) => name === 'frames')?.offset ?? 0;
    this.#sites = object.map('sites');
    this.#spare = object.map('spare');
    this.#columns = columnsOf(new LiveColumns(object.layout('ml_slot'), this.#memory));
    this.#stackColumns = stackColumnsOf(new LiveColumns(layout, stacks));
    this.#agesOf = agesReader(new LiveColumns(object.layout('ml_ages'), this.#ages), AGES);
  }

  /** Slots that may be handed out, before any program runs. */
  static fill(object: BpfObject, others: number): void {
    const spare = object.map('spare');
    const { maxEntries } = object.map('slots').spec;
    for (let number = others; number < maxEntries; number++) {
      spare.update(new Uint8Array(0), u32(number));
    }
  }

  /** Share of the slots that are some stack's. */
  get fullness(): number {
    return this.#used / Math.max(1, this.#memory.entries - this.others);
  }

  /** The key of the slot's stack, as its readings have it; undefined of one that was not read yet. */
  keyOf(slot: number): string | undefined {
    return this.#known[slot]?.key;
  }

  clearAges(): void {
    this.#ages.bytes.fill(0);
  }

  /**
   * Every stack of a target that is followed with something outstanding, and once more when nothing
   * is left of it.
   */
  read(targetOf: (number: number) => FollowedTarget | undefined, withAges: boolean): SlotReading[] {
    const readings: SlotReading[] = [];
    this.#used = 0;
    for (let slot = 0; slot < this.#memory.entries; slot++) {
      const isOther = slot < this.others;
      const target = targetOf(isOther ? slot : this.#columns.target.at(slot));
      if (!isOther && this.#isUsed(slot)) this.#used++;
      if (target === undefined) continue;
      const stack = isOther ? this.#other(slot, target) : this.#stack(slot);
      if (stack === undefined) continue;
      const reading = this.#reading(slot, stack, target, withAges);
      if (reading !== undefined) readings.push({ target, reading });
    }
    return readings;
  }

  /** Gives back slots of stacks without allocations where few are left. `now`: ms, monotonic. */
  recycle(now: number): void {
    if (this.#leaving.size === 0 && this.fullness < 1 - LOW) return;
    for (const [slot, leaving] of this.#leaving) {
      if (now - leaving.since >= STEP) this.#step(slot, leaving, now);
    }
    if (this.fullness < 1 - LOW) return;
    for (let slot = this.others; slot < this.#memory.entries; slot++) {
      if (this.#isUsed(slot) && !this.#leaving.has(slot) && this.#isEmpty(slot)) {
        this.#sites.delete(this.#siteOf(slot));
        this.#leaving.set(slot, {
          step: 1,
          allocated: this.#columns.allocated.at(slot),
          since: now,
        });
      }
    }
  }

  /** Nothing refers to the target any more. */
  release(target: number): void {
    this.#clear(target);
    this.#known[target] = undefined;
    for (let slot = this.others; slot < this.#memory.entries; slot++) {
      if (this.#columns.target.at(slot) !== target || !this.#isUsed(slot)) continue;
      this.#sites.delete(this.#siteOf(slot));
      this.#giveBack(slot);
    }
  }

  /** A target's own slot, as it begins to be followed. */
  begin(target: number): void {
    this.#clear(target);
    this.#known[target] = undefined;
  }

  #step(slot: number, leaving: Leaving, now: number): void {
    const isIdle = this.#isEmpty(slot) && this.#columns.allocated.at(slot) === leaving.allocated;
    if (leaving.step === 1 && isIdle) {
      this.#leaving.set(slot, { ...leaving, step: 2, since: now });
      this.#setHash(slot, 0n);
    } else if (isIdle) {
      this.#giveBack(slot);
    } else {
      if (leaving.step === 2) this.#setHash(slot, this.#known[slot]?.hash ?? 0n);
      this.#leaving.delete(slot);
      // Unless another slot is the stack's by now: then both are reported until this one is empty.
      const site = this.#siteOf(slot);
      if (this.#sites.lookup(site) === undefined) this.#sites.update(site, u32(slot));
    }
  }

  #giveBack(slot: number): void {
    this.#leaving.delete(slot);
    const known = this.#known[slot];
    if (known) this.#reported.delete(known.key);
    this.#known[slot] = undefined;
    this.#clear(slot);
    this.#spare.update(new Uint8Array(0), u32(slot));
  }

  #reading(
    slot: number,
    stack: Stack,
    { process }: FollowedTarget,
    withAges: boolean,
  ): Reading | undefined {
    const { columns } = { columns: this.#columns };
    // What was freed first: what is allocated meanwhile can only add to it.
    const freedBytes = columns.freedBytes.at(slot);
    const freed = columns.freed.at(slot);
    const bytes = Math.max(0, difference(columns.bytes, slot));
    const allocations = Math.max(0, difference(columns.count, slot)) / ONE;
    if (bytes === 0 && allocations === 0 && !this.#reported.delete(stack.key)) return undefined;
    if (bytes > 0 || allocations > 0) this.#reported.add(stack.key);
    const ages = withAges ? this.#agesOf(slot) : undefined;
    return {
      source: { kind: 'process', ...process },
      key: stack.key,
      frames: stack.frames,
      depth: stack.depth,
      bytes,
      allocations,
      bytesError: Math.sqrt(variance(columns.variance, slot)),
      allocatedBytes: Math.max(freedBytes, columns.allocatedBytes.at(slot)),
      allocatedCount: Math.max(freed, columns.allocated.at(slot)) / ONE,
      freedBytes,
      freedCount: freed / ONE,
      firstSeen: stack.first,
      ...(ages && { ages }),
    };
  }

  #isUsed(slot: number): boolean {
    return this.#columns.hash.at(slot) !== 0n;
  }

  #isEmpty(slot: number): boolean {
    return (
      difference(this.#columns.count, slot) === 0 && difference(this.#columns.bytes, slot) === 0
    );
  }

  /** What is known of the slot's stack; undefined where it is nobody's, or not yet written. */
  #stack(slot: number): Stack | undefined {
    const hash = this.#columns.hash.at(slot);
    const target = this.#columns.target.at(slot);
    if (hash === 0n) return this.#leaving.has(slot) ? this.#known[slot] : undefined;
    const known = this.#known[slot];
    if (known?.hash === hash && known.target === target) return known;
    const { depth, end, first } = this.#stackColumns;
    const frames = Array.from({ length: depth.at(slot) }, (_, n) =>
      this.#stacks.u64(slot * this.#stackStride + this.#firstFrame + n * 8),
    );
    const about = { depth: depthOf(end.at(slot)), first: first.at(slot) };
    // The slot is published last: it was another's meanwhile if its hash has changed.
    if (this.#columns.hash.at(slot) !== hash) return undefined;
    const stack = { target, hash, key: String(++this.#serial), frames, ...about };
    this.#known[slot] = stack;
    return stack;
  }

  /** What found no slot of its own has no stack. */
  #other(slot: number, { number: target }: FollowedTarget): Stack | undefined {
    if (this.#columns.allocated.at(slot) === 0) return undefined;
    this.#known[slot] ??= {
      target,
      hash: 0n,
      key: String(++this.#serial),
      frames: [],
      depth: 'unreadable',
      first: Number(process.hrtime.bigint()),
    };
    return this.#known[slot];
  }

  #siteOf(slot: number): Uint8Array {
    const hash = this.#columns.hash.at(slot) || (this.#known[slot]?.hash ?? 0n);
    const [low, high] = [Number(hash & 0xffff_ffffn), Number(hash >> 32n)];
    return u32(low, high, this.#columns.target.at(slot), 0);
  }

  #setHash(slot: number, hash: bigint): void {
    this.#live.storeU64(slot * this.#memory.stride + this.#columns.hashAt, hash);
  }

  #clear(slot: number): void {
    const { bytes, stride } = this.#memory;
    bytes.fill(0, slot * stride, (slot + 1) * stride);
  }
}

interface Pair {
  readonly allocated: Column;
  readonly freed: Column;
  /** For what is beyond a double. */
  readonly exact: (row: number) => bigint;
}

function difference({ allocated, freed, exact }: Pair, row: number): number {
  const less = freed.at(row);
  const all = allocated.at(row);
  return all < EXACT && less < EXACT ? all - less : Number(BigInt.asIntN(64, exact(row)));
}

function variance({ allocated, freed, exact }: Pair, row: number): number {
  if (allocated.at(row) === 0 && freed.at(row) === 0) return 0;
  const sum = Number(BigInt.asUintN(64, exact(row)));
  return sum < BELOW_ZERO ? sum : 0;
}

function columnsOf(rows: LiveColumns) {
  const pair = (allocated: string, freed: string): Pair => {
    const [big, less] = [rows.bigint(allocated), rows.bigint(freed)];
    return {
      allocated: rows.column(allocated),
      freed: rows.column(freed),
      exact: (row) => {
        const gone = less.at(row);
        return big.at(row) - gone;
      },
    };
  };
  return {
    hash: rows.bigint('hash'),
    hashAt: rows.layout.fields.find(({ name }) => name === 'hash')?.offset ?? 0,
    target: rows.column('target'),
    allocatedBytes: rows.column('allocated_bytes'),
    allocated: rows.column('allocated'),
    freedBytes: rows.column('freed_bytes'),
    freed: rows.column('freed'),
    bytes: pair('allocated_bytes', 'freed_bytes'),
    count: pair('allocated', 'freed'),
    variance: pair('allocated_variance', 'freed_variance'),
  };
}

function stackColumnsOf(rows: LiveColumns) {
  return { depth: rows.column('depth'), end: rows.column('end'), first: rows.column('first') };
}
