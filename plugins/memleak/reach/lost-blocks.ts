/**
 * Which blocks are lost, of scan after scan of a process: pure.
 *
 * The process runs on while it is scanned, so one scan errs: a pointer moves from where nobody has looked
 * to where somebody just has. A block is lost if it was unreachable each time in scans that lie some seconds
 * apart. Where few of a stack's blocks are, chance must be ruled out by more scans: what comes and goes
 * quickly is out of sight in some, but not in several one after the other.
 *
 * A lost block can neither be freed nor be found again. If one is, its pointer was where no scan can see it,
 * and of its stack nothing is said any more.
 */
import type { Reach } from '../model.js';
import type { HeldBlocks } from '../user/held-blocks.js';

/** Seconds between two scans that count as two. */
export const APART = 2;
/** Scans in a row in which a block was unreachable: where many of its stack are, and else. */
const SCANS = { many: 2, few: 4 } as const;
/** The share of a stack's blocks that is many. */
const MANY = 0.1;
/** Contradictions among the lost, beyond which there are pointers that no scan sees. */
const HIDDEN = 0.05;
/** Blocks after which others have their turn. */
const STEP = 1 << 14;

interface Unreached {
  readonly mark: number;
  readonly key: string;
  readonly scans: number;
}

/** Of a stack, by how many scans in a row its blocks were unreachable. */
interface Tally {
  /** Records; with sampling each stands for several allocations. */
  readonly records: number[];
  readonly allocations: number[];
  readonly bytes: number[];
}

interface Ever {
  lost: number;
  contradicted: number;
}

export class LostBlocks {
  /** By address. */
  #unreached = new Map<number, Unreached>();
  /** By the stack's key. */
  #tallies = new Map<string, Tally>();
  readonly #ever = new Map<string, Ever>();
  #scannedAt = Number.NEGATIVE_INFINITY;

  /**
   * One more scan at `time`, seconds, in steps; `reached`: by block, 1 if it is. `keyOf`: of the stack that
   * has a slot. `isExact`: of a process that stood still, so that it counts for all.
   */
  *take(
    { starts, sizes, weights, slots, marks }: HeldBlocks,
    reached: Uint8Array,
    time: number,
    keyOf: (slot: number) => string,
    isExact = false,
  ): Generator<undefined, void> {
    const isApart = isExact || time - this.#scannedAt >= APART;
    const before = this.#unreached;
    const unreached = new Map<number, Unreached>();
    const tallies = new Map<string, Tally>();
    const isThere = new Set<number>();
    const keys = new Map<number, string>();
    for (let n = 0; n < starts.length; n++) {
      if (n % STEP === STEP - 1) yield;
      const [address, size, weight, slot, mark] = [
        starts[n],
        sizes[n],
        weights[n],
        slots[n],
        marks[n],
      ] as Block;
      const key = keys.get(slot) ?? keyOf(slot);
      keys.set(slot, key);
      const known = before.get(address);
      const isSame = known?.mark === mark;
      if (isSame) isThere.add(address);
      const earlier = isSame ? known.scans : 0;
      const scans = scansOf(reached[n] === 1, earlier, isApart, isExact);
      if (scans > 0) unreached.set(address, { mark, key, scans });
      if (scans >= SCANS.many && earlier < SCANS.many) this.#everOf(key).lost++;
      if (scans === 0 && earlier >= SCANS.many) this.#everOf(key).contradicted++;
      if (isSame || isExact || scans === 0) count(tallies, key, scans, weight, size);
    }
    for (const [address, { key, scans }] of before) {
      if (scans >= SCANS.many && !isThere.has(address)) this.#everOf(key).contradicted++;
    }
    this.#unreached = unreached;
    this.#tallies = tallies;
    if (isApart) this.#scannedAt = time;
  }

  /** undefined before the second scan that saw the stack. */
  of(key: string): Reach | undefined {
    const tally = this.#tallies.get(key);
    if (!tally) return undefined;
    const { records, allocations, bytes } = tally;
    const isMany = from(records, SCANS.many) >= MANY * from(records, 0);
    const needed = isMany ? SCANS.many : SCANS.few;
    const [lost, lostBytes] = [from(allocations, needed), from(bytes, needed)];
    const { lost: ever = 0, contradicted = 0 } = this.#ever.get(key) ?? {};
    return {
      time: this.#scannedAt,
      lost,
      lostBytes,
      lostRecords: from(records, needed),
      reached: from(allocations, 0) - lost,
      reachedBytes: from(bytes, 0) - lostBytes,
      isHidden: contradicted > HIDDEN * ever,
    };
  }

  #everOf(key: string): Ever {
    const known = this.#ever.get(key) ?? { lost: 0, contradicted: 0 };
    this.#ever.set(key, known);
    return known;
  }
}

function scansOf(isReached: boolean, earlier: number, isApart: boolean, isExact: boolean): number {
  if (isReached) return 0;
  if (isExact) return SCANS.few;
  return isApart ? earlier + 1 : Math.max(1, earlier);
}

function count(
  tallies: Map<string, Tally>,
  key: string,
  scans: number,
  weight: number,
  size: number,
): void {
  const tally = tallies.get(key) ?? { records: [], allocations: [], bytes: [] };
  tallies.set(key, tally);
  const place = Math.min(scans, SCANS.few);
  const add = (values: number[], more: number) => {
    values[place] = (values[place] ?? 0) + more;
  };
  add(tally.records, 1);
  add(tally.allocations, weight);
  add(tally.bytes, weight * size);
}

/** The sum over all that were unreachable in so many scans or more. */
const from = (values: readonly number[], scans: number): number =>
  values.reduce((sum, value, place) => (place >= scans ? sum + value : sum), 0);

type Block = [address: number, size: number, weight: number, slot: number, mark: number];
