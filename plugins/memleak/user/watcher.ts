import type { Column } from '../../../core/bpf/columns.js';
import type { BpfLink, BpfLoader, LoadedBpf, RingReader } from '../../../core/bpf/host.js';
import { LiveColumns } from '../../../core/bpf/live-columns.js';
import { type RecordDecoder, recordDecoder } from '../../../core/bpf/record.js';
import { missedRuns } from '../../../core/bpf/stats.js';
import { MemWatcherError } from '../../../core/errors.js';
import type { Scope } from '../../../core/scope.js';
import type { MlHappening } from '../events.gen.js';
import type { Coverage, ProcessId, Reading } from '../model.js';
import { happeningOf, SLOTS } from './decoder.js';
import { type HeldBlocks, readHeldBlocks } from './held-blocks.js';
import { Passes, tryPasses } from './passes.js';
import { attachProbes, type Whom } from './probes.js';
import { type Registers, registersOf } from './registers.js';
import { SlotTable } from './slot-table.js';
import { type TargetCounts, TargetTable } from './target-table.js';
import { UnwindRows } from './unwind-rows.js';
import type {
  Activity,
  CodeRange,
  Happening,
  ProbedFile,
  UserReadings,
  UserWatch,
} from './user-watch.js';

/** ms after which what was forgotten leaves, if nothing had a look at all allocations before. */
const SWEEP_EVERY = 5_000;
/** The same where few numbers of targets are left. */
const SWEEP_SOON = 500;
/** The kernel reckons with 28 bits behind the point. */
const MAX_INTERVAL = 2 ** 30;
/** No target has this number. */
const NOBODY = -1;

export interface UserWatchOptions {
  /** Outstanding allocations of all processes that are kept. */
  readonly maxAllocations: number;
  /** Stacks that are told apart. */
  readonly maxStacks: number;
  /** Frames of a stack, at most 127. */
  readonly maxDepth: number;
  /** Processes that are followed at a time, and those forgotten a moment ago. */
  readonly maxTargets?: number;
  /** Threads of all processes that allocate. */
  readonly maxThreads?: number;
}

/** Loads the best strategy. Nobody is followed yet. */
export function openUserWatch(
  loader: BpfLoader,
  scope: Scope,
  options: UserWatchOptions,
): UserWatcher {
  const { maxAllocations, maxStacks, maxDepth, maxTargets = 256, maxThreads = 16_384 } = options;
  const slots = Math.min(SLOTS - 1, maxTargets + maxStacks);
  const own = scope.child();
  const loaded = own.use(
    loader.load({
      constants: { max_depth: maxDepth },
      maxEntries: {
        followed: maxTargets,
        targets: maxTargets,
        threads: maxThreads,
        live: maxAllocations,
        slots,
        stacks: slots,
        ages: slots,
        spare: slots,
        sites: slots,
      },
      onDemand: ['live', 'threads'],
      beforeAttach: (object) => SlotTable.fill(object, maxTargets),
      verify: tryPasses,
    }),
  );
  return new UserWatcher(loaded, own, maxTargets);
}

export class UserWatcher implements UserWatch {
  readonly strategy: string;
  readonly #targets: TargetTable;
  readonly #slots: SlotTable;
  readonly #unwind: UnwindRows;
  readonly #passes: Passes;
  /** Absent without the part of that name. */
  readonly #ring: RingReader | undefined;
  readonly #happening: RecordDecoder<MlHappening>;
  /** By number of a target: runs that the kernel had left out before it was followed. */
  readonly #missedBefore = new Map<number, number>();
  /** By process: whose links it is seen by. */
  readonly #groups = new Map<string, number>();
  readonly #strangers: Column;
  readonly #lines: number;
  /** Of processes that nobody set another for, those to come among them. */
  #interval = 0;
  /** By number of a target. */
  readonly #intervals = new Map<number, number>();
  #sweptAt = 0;
  #live = 0;

  constructor(
    readonly loaded: LoadedBpf,
    private readonly scope: Scope,
    targets: number,
  ) {
    const { object } = loaded;
    this.strategy = loaded.strategy.replace(/^uprobe-/, '');
    this.#unwind = new UnwindRows(object, scope);
    this.#targets = new TargetTable(object, scope, (range, target) =>
      this.#unwind.of(range, target),
    );
    this.#slots = new SlotTable(object, scope, targets);
    this.#passes = new Passes(loaded, scope);
    const strangers = scope.use(object.map('strangers').mapped());
    this.#strangers = new LiveColumns(object.layout('ml_strangers'), strangers).column('hits');
    this.#lines = strangers.entries;
    this.#ring = loaded.parts.has('happenings')
      ? scope.use(object.map('happenings').ring())
      : undefined;
    this.#happening = recordDecoder<MlHappening>(object.layout('ml_happening'));
  }

  /** Share of the room for stacks and for allocations that is taken, as of the last look. */
  get fullness(): { readonly stacks: number; readonly allocations: number } {
    const { maxEntries } = this.loaded.object.map('live').spec;
    return { stacks: this.#slots.fullness, allocations: this.#live / maxEntries };
  }

  prepare({ pid }: ProcessId, code: readonly CodeRange[]): Generator<undefined, void> {
    return this.#unwind.prepare(pid, code);
  }

  follow(process: ProcessId, code: readonly CodeRange[], inherit?: ProcessId): void {
    for (const _ of this.prepare(process, code));
    const known = this.#targets.of(process);
    if (known && this.#targets.isSeen(known)) {
      this.#targets.setCode(known, code);
      return;
    }
    this.#forgetPid(process.pid);
    const target = this.#targets.add(process, code, this.#interval);
    this.#intervals.delete(target.number);
    this.#slots.begin(target.number);
    this.#missedBefore.set(target.number, this.#missedRuns);
    const group = this.#groups.get(keyOf(process)) ?? 0;
    this.#targets.setGroups(target, group, group);
    const parent = inherit && this.#targets.of(inherit);
    if (parent) this.#passes.inherit(parent.number, target.number);
    this.#targets.admit(target);
  }

  forget(process: ProcessId): void {
    this.#groups.delete(keyOf(process));
    const target = this.#targets.of(process);
    if (target) this.#targets.remove(target);
  }

  attach({ pid }: ProcessId, file: ProbedFile): BpfLink {
    return this.#attach({ pid }, file);
  }

  attachShared(group: number, file: ProbedFile): BpfLink {
    return this.#attach({ group }, file);
  }

  #attach(whom: Whom, file: ProbedFile): BpfLink {
    // Where frames are undone without frame pointers, the caller of operator new is found by itself.
    const sites = file.sites.filter(
      ({ shape }) => shape !== 'new' || !this.#unwind.knows(file.path),
    );
    return attachProbes(this.loaded.object, this.strategy, whom, { path: file.path, sites });
  }

  join(process: ProcessId, group: number, also = group): void {
    if (group === 0) this.#groups.delete(keyOf(process));
    else this.#groups.set(keyOf(process), group);
    const target = this.#targets.of(process);
    if (target) this.#targets.setGroups(target, group, also);
  }

  strangerHits(): number {
    let hits = 0;
    for (let line = 0; line < this.#lines; line++) hits += this.#strangers.at(line);
    return hits;
  }

  setSampling(interval: number, process?: ProcessId): void {
    if (!(interval >= 0)) {
      throw new MemWatcherError('INTERNAL', `${interval} bytes are no distance of samples`);
    }
    const whole = interval === 0 ? 0 : Math.min(MAX_INTERVAL, Math.max(1, Math.round(interval)));
    if (process) {
      const target = this.#targets.of(process);
      if (!target) return;
      this.#intervals.set(target.number, whole);
      this.#targets.setInterval(target, whole);
      return;
    }
    this.#interval = whole;
    this.#intervals.clear();
    for (const target of this.#targets.all) this.#targets.setInterval(target, whole);
  }

  read({ ages }: { readonly ages: boolean }): UserReadings {
    const now = Number(process.hrtime.bigint());
    const ms = now / 1e6;
    this.#passThreads();
    if (ages) this.#slots.clearAges();
    if (ages || (this.#targets.forgotten > 0 && ms - this.#sweptAt >= SWEEP_EVERY)) {
      this.#passLive(ms, ages ? now : undefined);
    }
    const found = this.#slots.read((number) => this.#targets.withNumber(number), ages);
    this.#slots.recycle(ms);
    return {
      time: now,
      readings: found.map(({ reading }): Reading => reading),
      ...this.#counts(),
    };
  }

  activity(): ReadonlyMap<number, Activity> {
    this.#passThreads();
    const ms = Number(process.hrtime.bigint()) / 1e6;
    // Many that come and go between two readings leave no number to those that come after.
    if (this.#targets.isCrowded && ms - this.#sweptAt >= SWEEP_SOON) this.#passLive(ms);
    return new Map(
      [...this.#targets.all].map((target) => {
        const { hits, recorded } = this.#targets.counts(target);
        return [target.process.pid, { hits, recorded }];
      }),
    );
  }

  /** What was counted of a process; undefined of one that is not followed. */
  countsOf(process: ProcessId): TargetCounts | undefined {
    const target = this.#targets.of(process);
    if (target === undefined) return undefined;
    this.#passThreads();
    return this.#targets.counts(target);
  }

  /** What each of the processes holds, in steps; nothing of one that is not followed. */
  held(processes: readonly ProcessId[]): Generator<undefined, readonly HeldBlocks[]> {
    const targets = processes.map((process) => this.#targets.of(process)?.number ?? NOBODY);
    return readHeldBlocks(this.loaded.object.map('live'), targets);
  }

  /** The key that a slot's readings have. */
  keyOf(slot: number): string | undefined {
    return this.#slots.keyOf(slot);
  }

  /** undefined where this kernel does not tell them. */
  registers({ pid }: ProcessId): Registers | undefined {
    return registersOf(this.loaded, pid);
  }

  happenings(): readonly Happening[] {
    const happenings: Happening[] = [];
    this.#ring?.drain((view, offset, length) => {
      const happening = happeningOf(this.#happening, view, offset, length);
      if (happening) happenings.push(happening);
    });
    return happenings;
  }

  close(): Promise<void> {
    return this.scope.close();
  }

  get #missedRuns(): number {
    return missedRuns(this.loaded.object, this.loaded.programs);
  }

  #forgetPid(pid: number): void {
    for (const target of [...this.#targets.all]) {
      if (target.process.pid === pid) this.#targets.remove(target);
    }
  }

  #passThreads(): void {
    this.#targets.clearPresent();
    this.#passes.threads();
  }

  /** Numbers of targets and slots are free again once nothing refers to them. */
  #passLive(ms: number, now?: number): void {
    this.#sweptAt = ms;
    this.#live = this.#passes.live(now);
    for (const number of this.#targets.passed()) {
      this.#slots.release(number);
      this.#unwind.release(number);
      this.#targets.release(number);
    }
  }

  #counts(): Pick<UserReadings, 'coverage' | 'hits'> {
    // Whose runs they were the kernel does not say: each may have missed all of them.
    const missed = this.#missedRuns;
    const coverage = new Map<number, Coverage>();
    const hits = new Map<number, number>();
    for (const target of this.#targets.all) {
      const { pid } = target.process;
      const counts = this.#targets.counts(target);
      hits.set(pid, counts.hits);
      coverage.set(pid, {
        samplingInterval: this.#intervals.get(target.number) ?? this.#interval,
        missedAllocations: counts.missedAllocations,
        missedFrees: counts.missedFrees + missed - (this.#missedBefore.get(target.number) ?? 0),
        recorded: counts.recorded,
      });
    }
    return { coverage, hits };
  }
}

const keyOf = ({ pid, startTime }: ProcessId): string => `${pid}:${startTime}`;
