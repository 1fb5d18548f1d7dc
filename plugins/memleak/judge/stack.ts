import type { Ages, Coverage, Judgement, Reach, Reading } from '../model.js';
import { chanceToSee, coverageOf } from './coverage.js';
import type { Finding } from './finding.js';
import { COLUMN, coarser, type Figures, Horizon, SLOTS } from './horizon.js';
import type { Surroundings } from './judge.js';
import type { JudgeOptions } from './options.js';
import type { SavedStack } from './saved.js';

/** What the judge holds of one stack. */
export class StackRecord {
  horizons: Horizon[];
  /** By horizon: of its last slot. */
  readonly findings: (Finding | undefined)[] = [];
  readonly #ended: boolean[] = [];
  /** Seconds: when it was first and last observed. */
  since: number;
  time = Number.NEGATIVE_INFINITY;
  count = 0;
  bytes = 0;
  peakBytes = 0;
  allocatedCount = 0;
  freedCount = 0;
  /** Mean allocations and bytes that one record stands for; 1 and 0 without sampling. */
  unit = 1;
  unitBytes = 0;
  ages: Ages | undefined;
  agesTime = 0;
  coverage = 1;
  /** Allocations of the stack that would have been recorded since it was last seen to grow, had it gone on. */
  expectedRecords = 0;
  /** Bytes per second by which it last grew as a leak does; 0 before. */
  #leakRate = 0;
  #counted: Coverage;
  /** Age of its process when it was first observed, seconds; undefined of the kernel. */
  ageBefore: number | undefined;
  reach: Reach | undefined;
  /** Seconds: when more of its blocks were lost than ever before. */
  lostTime = Number.NEGATIVE_INFINITY;
  /** Seconds: the longest time that it took for more to be lost. */
  lostPause = 0;
  #mostLost = 0;
  /** Frees of the source that may have been missed since this stack is watched. */
  missedFrees = 0;
  readonly #missedBefore: number;
  /** Seconds: its age when it went on with what was saved; the clock stands until that is reached. */
  #ageBefore = 0;
  /** Bytes that the process had beyond what is outstanding, first and last. */
  surplusBefore: number | undefined;
  surplus: number | undefined;
  judgement: Judgement | undefined;
  /** Times in a row that findings asked for the same other state. */
  persistence = 0;
  wanted: Judgement['state'] = 'watching';
  /** The floor of bytes when the leak was confirmed. */
  confirmedBytes = 0;
  /** Whether what was confirmed doubles, and when its floor was last higher than ever. */
  doubling = false;
  #top = 0;
  #topTime = 0;
  gone = false;

  constructor(
    readonly key: string,
    time: number,
    { coverage }: Surroundings,
    private readonly options: JudgeOptions,
  ) {
    this.since = time;
    this.#missedBefore = coverage.missedFrees;
    this.#counted = coverage;
    this.horizons = [new Horizon(options.window / 2)];
  }

  /** Whether more of it is lost than at the reading before. */
  get hasNews(): boolean {
    return this.lostTime === this.time;
  }

  /** It grows as a leak does, by so many bytes per second: from now on it is expected to go on. */
  grows(bytes: number): void {
    this.expectedRecords = 0;
    this.#leakRate = bytes;
  }

  /** Adds what a leak as fast as before would have left since the last reading. */
  #expect(reading: Reading, time: number, coverage: Coverage): void {
    if (this.#leakRate > 0 && reading.bytes > 0 && Number.isFinite(this.time)) {
      const allocations = (this.#leakRate * reading.allocations) / reading.bytes;
      const chance = chanceToSee(reading, this.#counted, coverage);
      this.expectedRecords += allocations * (time - this.time) * chance;
    }
    this.#counted = coverage;
  }

  #takeReach(reach: Reach | undefined, time: number): void {
    this.reach = reach;
    if (!reach || reach.lostRecords <= this.#mostLost) return;
    if (this.#mostLost > 0) this.lostPause = Math.max(this.lostPause, time - this.lostTime);
    this.#mostLost = reach.lostRecords;
    this.lostTime = time;
  }

  observe(reading: Reading, time: number, surroundings: Surroundings): void {
    this.allocatedCount = reading.allocatedCount;
    this.freedCount = reading.freedCount;
    this.coverage = coverageOf(reading, surroundings.coverage);
    this.#expect(reading, time, surroundings.coverage);
    this.missedFrees = surroundings.coverage.missedFrees - this.#missedBefore;
    if (reading.bytesError > 0 && reading.bytes > 0) {
      this.unitBytes = (reading.bytesError * reading.bytesError) / reading.bytes;
      this.unit = Math.max(1, (reading.allocations * this.unitBytes) / reading.bytes);
    }
    if (surroundings.rssAnon !== undefined) {
      this.surplus = surroundings.rssAnon - surroundings.outstandingBytes;
      this.surplusBefore ??= this.surplus;
    }
    this.ageBefore ??= surroundings.age;
    this.#takeReach(reading.reach, time);
    if (reading.ages) {
      this.ages = reading.ages;
      this.agesTime = time;
    }
    const { allocations: count, bytes, allocatedCount: allocated, ages } = reading;
    this.#take(time, { count, bytes, allocated, ages });
  }

  #take(time: number, figures: Figures): void {
    const { count, bytes } = figures;
    this.time = time;
    this.count = count;
    this.bytes = bytes;
    if (bytes > this.peakBytes) this.peakBytes = bytes;
    for (const [n, horizon] of this.horizons.entries()) {
      if (horizon.observe(time - this.since, figures)) this.#ended[n] = true;
    }
  }

  /**
   * Goes on with what was saved before the agent was restarted. The clock stood still meanwhile and
   * until figures have settled, or every restart would look like the end of growth.
   */
  resume(saved: SavedStack, time: number): void {
    this.since = time + this.options.window - saved.age;
    this.#ageBefore = saved.age;
    this.horizons = saved.horizons.slice(0, this.options.horizons).map((rows, n) => {
      const horizon = new Horizon((this.options.window / 2) * 4 ** n);
      horizon.resume(
        rows.map((row) => row.map((value) => value ?? Number.NaN)),
        time - this.since,
      );
      return horizon;
    });
    if (this.horizons.length === 0) this.horizons.push(new Horizon(this.options.window / 2));
    this.confirmedBytes = saved.confirmedBytes;
    this.judgement = saved.judgement;
    this.#leakRate = saved.leakRate ?? 0;
    this.ageBefore = saved.ageBefore ?? this.ageBefore;
  }

  save(identity: string): SavedStack | undefined {
    const { judgement } = this;
    if (!judgement) return undefined;
    return {
      identity,
      age: Math.max(this.time - this.since, this.#ageBefore),
      confirmedBytes: this.confirmedBytes,
      judgement,
      ...(this.ageBefore !== undefined && { ageBefore: this.ageBefore }),
      ...(this.#leakRate > 0 && { leakRate: this.#leakRate }),
      horizons: this.horizons.map((horizon) =>
        horizon.saved().map((row) => row.map((value) => (Number.isNaN(value) ? null : value))),
      ),
    };
  }

  /** Bytes: of the last slot that ended. */
  get floor(): number {
    const fine = this.horizons[0];
    return fine && fine.length > 0 ? fine.at(fine.length - 1, COLUMN.bytes) : this.bytes;
  }

  /** A table that doubled has rested for no longer than it took to get so large. */
  get resting(): boolean {
    if (this.floor > this.#top) {
      this.#top = this.floor;
      this.#topTime = this.time;
    }
    return this.doubling && this.time - this.#topTime < 1.3 * (this.#topTime - this.since);
  }

  /** Calls `each` for every horizon of which a slot ended since the last call. */
  ended(each: (horizon: Horizon, n: number) => void): boolean {
    let any = false;
    for (let n = 0; n < this.horizons.length; n++) {
      const horizon = this.horizons[n];
      if (!this.#ended[n] || !horizon) continue;
      this.#ended[n] = false;
      any = true;
      each(horizon, n);
    }
    const last = this.horizons.at(-1);
    if (last?.length === SLOTS && this.horizons.length < this.options.horizons) {
      this.horizons.push(coarser(last));
    }
    return any;
  }
}
