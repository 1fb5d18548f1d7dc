import { basename } from 'node:path';
import { describeError } from '../../../core/errors.js';
import { steadyNow } from '../../../core/identity/boot-moment.js';
import type { ProcessMap } from '../../../core/symbolize/symbolizer.js';
import type { ProcessId } from '../model.js';
import { type CodeRange, MAX_RANGES, type UserWatch } from '../user/user-watch.js';
import { Attachment, printable } from './attachment.js';
import { type Candidate, keyOf } from './candidate.js';
import type { Chosen, Rule } from './choose.js';
import { Heartbeat } from './heartbeat.js';
import type { Image } from './image.js';
import type { Images } from './images.js';
import type { Job } from './jobs.js';
import type { Group, Links } from './links.js';
import type { PlanOptions } from './plan.js';
import { type MemoryStatus, NS_PER_TICK, type ProcessStat, TICKS_PER_SECOND } from './proc.js';
import { lackOf, refusalOf, refusalOfProgram, SHADOWED } from './refusal.js';

/** What a target needs of its surroundings. */
export interface FollowContext {
  readonly watch: Pick<UserWatch, 'follow' | 'forget' | 'join' | 'prepare' | 'strategy'>;
  readonly images: Images;
  readonly links: Links;
  readonly groupOf: (options: PlanOptions) => Group;
  readonly readMap: (pid: number) => ProcessMap;
  /** Whether functions that may leave by an exception are probed. */
  readonly throwing: boolean;
  /** Whether a return probe would kill the process. */
  readonly shadowed: (pid: number) => boolean;
}

/**
 * `waiting` to be attached, `left` for a while for its cost, `refused`: it cannot be followed.
 * `ended`: it is gone, and what was recorded of it is there until `settle`.
 */
export type FollowState = 'waiting' | 'followed' | 'left' | 'refused' | 'ended';

/** One target: its probes, and what is known of it. */
export class Followed {
  readonly key: string;
  readonly process: ProcessId;
  readonly heartbeat = new Heartbeat();
  state: FollowState = 'waiting';
  /** With whose allocations it begins. */
  parent: ProcessId | undefined;
  /** Refused for what may be otherwise later: a file that is being written, no memory. */
  isPassing = false;
  /** When it was attached, CLOCK_MONOTONIC ns. */
  attachedAt = 0;
  /** When its counters began, Unix ms: each time that it is followed they begin anew. */
  countsSince = steadyNow();
  #candidate: Candidate;
  readonly #rule: Rule;
  #options: PlanOptions;
  #group: Group;
  #attachment: Attachment | undefined;
  /** Of what it ran before. */
  readonly #old: Attachment[] = [];
  #map: ProcessMap | undefined;
  #program: Image | undefined;
  #refusal: string | undefined;
  #whyLeft: string | undefined;
  /** Bytes of executable mappings when the map was read. */
  #libraries: number | undefined;
  #layout: string | undefined;
  #isRecorded = false;
  #mapReadAt = Number.NEGATIVE_INFINITY;
  rssAnon: number | undefined;
  /** The same as it began to be followed. */
  rssAnonBefore: number | undefined;

  constructor(
    { candidate, rule }: Chosen,
    private readonly context: FollowContext,
  ) {
    this.key = keyOf(candidate);
    this.#candidate = candidate;
    this.#rule = rule;
    this.process = { pid: candidate.pid, startTime: candidate.startTicks * NS_PER_TICK };
    const { mmap, brk, functions } = rule.config;
    this.#options = { mmap, brk, functions, throwing: context.throwing };
    this.#group = context.groupOf(this.#options);
  }

  get candidate(): Candidate {
    return this.#candidate;
  }

  get rule(): Rule {
    return this.#rule;
  }

  /** Those for whom the same is probed. */
  get group(): Group {
    return this.#group;
  }

  get map(): ProcessMap | undefined {
    return this.#map;
  }

  /** Where its runtimes have what they run programs by. */
  get interpreters(): readonly CodeRange[] {
    return this.#attachment?.interpreters(this.#modules()) ?? [];
  }

  /** Those whose calls are recorded: none while probes are still being attached. */
  get allocators(): readonly string[] {
    const isRecorded = this.state === 'followed' || this.state === 'ended';
    return isRecorded ? (this.#attachment?.families ?? []) : [];
  }

  get stepped(): number {
    return this.#attachment?.stepped ?? 0;
  }

  /** For people: `nginx (4711)`. */
  get name(): string {
    const { pid, comm, executable } = this.#candidate;
    return `${printable(executable ? basename(executable) : comm)} (${pid})`;
  }

  /** What is wrong with it; undefined if all is well. */
  get reason(): string | undefined {
    if (this.#refusal) return this.#refusal;
    if (this.state === 'left') return this.#whyLeft;
    const problems = [
      ...(this.#attachment?.problems ?? []),
      this.heartbeat.reason,
      cutOf(this.#map?.modules.length ?? 0),
    ];
    if (this.state === 'followed' && this.allocators.length === 0)
      problems.unshift(lackOf(this.#program));
    return problems.filter((text) => text !== undefined).join('; ') || undefined;
  }

  /** What is known of it has changed: it runs another program. */
  renew(candidate: Candidate): void {
    this.#candidate = candidate;
    this.#layout = undefined;
  }

  /** Attaches, then begins to record: half of a process's probes would make leaks of frees. */
  *attach(): Job {
    const { context, process } = this;
    yield* this.#closeOld();
    this.#refusal = this.#lastingRefusal();
    this.isPassing = this.#refusal === undefined;
    if (!this.#refusal) {
      const map = context.readMap(process.pid);
      this.#map = map;
      yield* context.images.readAhead(process.pid, this.#modules());
      this.#refusal = this.#readProgram(map);
    }
    if (this.#refusal) {
      this.state = 'refused';
      return;
    }
    yield undefined;
    const { walksStacks: _, ...plain } = this.#options;
    this.#options = this.#walksStacks() ? { ...plain, walksStacks: true } : plain;
    this.#group = context.groupOf(this.#options);
    this.#attachment = new Attachment(process, this.#options, this.#group, context);
    // Before the probes: which are needed depends on how frames can be undone.
    yield* this.#prepare();
    yield* this.#attachment.update(this.#modules());
    this.countsSince = steadyNow();
    try {
      context.watch.follow(process, this.#modules(), this.parent);
    } catch (error) {
      // Its probes would cost it something for nothing.
      this.#refusal = `it cannot be followed: ${describeError(error)}`;
      this.release('refused');
      yield* this.#closeOld();
      return;
    }
    this.attachedAt = Number(globalThis.process.hrtime.bigint());
    this.heartbeat.reset();
    this.state = 'followed';
  }

  get isMisplaced(): boolean {
    return this.state === 'followed' && this.#attachment?.isMisplaced === true;
  }

  /** To links that it shares with others, or to its own. */
  *regroup(): Job {
    yield* this.#attachment?.regroup(this.#modules()) ?? [];
  }

  /** A sanitizer is in one of its files: what a return probe puts on the stack would be in its reports. */
  #walksStacks(): boolean {
    const { images } = this.context;
    return this.#modules().some((module) => {
      if (module.inode === 0) return false;
      try {
        return images.find(this.process.pid, module)?.image.isSanitizer === true;
      } catch {
        return false; // it is no ELF file
      }
    });
  }

  *#prepare(): Job {
    const steps = this.context.watch.prepare?.(this.process, this.#modules()) ?? [];
    for (const _ of steps) yield undefined;
  }

  /** Its executable mappings have changed: files come and go. */
  *update(): Job {
    this.#map = this.context.readMap(this.process.pid);
    yield* this.context.images.readAhead(this.process.pid, this.#modules());
    yield undefined;
    if (!this.#attachment) return;
    if (!this.#options.walksStacks && this.#walksStacks()) {
      // A sanitizer came after the probes: none of its reports may show what they put on the stack.
      this.release('waiting');
      yield* this.attach();
      return;
    }
    yield* this.#prepare();
    yield* this.#attachment.update(this.#modules());
    this.context.watch.follow(this.process, this.#modules());
  }

  /** Whether it executes another program than what is attached; asked for once a refresh. */
  runsAnother({ layout }: ProcessStat): boolean {
    const before = this.#layout;
    this.#layout = layout;
    return before !== undefined && before !== layout;
  }

  /** Whether the map may have changed since it was read; asked for once a refresh. */
  hasNewCode({ libraries }: MemoryStatus, seconds: number): boolean {
    const changed = libraries !== this.#libraries || seconds - this.#mapReadAt >= REREAD_SECONDS;
    if (changed) {
      this.#libraries = libraries;
      this.#mapReadAt = seconds;
    }
    return changed;
  }

  beat({ cpuTicks }: ProcessStat, memory: MemoryStatus, hits: number, time: number): void {
    this.rssAnon = memory.rssAnon;
    if (this.state !== 'followed') return;
    this.rssAnonBefore ??= memory.rssAnon;
    const cpu = cpuTicks / TICKS_PER_SECOND;
    this.heartbeat.beat({ time, hits, cpu, rssAnon: memory.rssAnon, data: memory.data });
  }

  /** What was recorded is forgotten at once; the links are closed by `close` or the next `attach`. */
  release(state: FollowState): void {
    if (this.state === 'followed') {
      this.context.watch.forget(this.process);
      this.countsSince = steadyNow();
    }
    this.state = state;
    this.rssAnonBefore = undefined;
    this.heartbeat.reset();
    if (this.#attachment) this.#old.push(this.#attachment);
    this.#attachment = undefined;
  }

  /** It is paused for what it costs, and says `why` until it is attached again. */
  leave(why: string): void {
    this.release('left');
    this.#whyLeft = why;
  }

  /** It is gone; the links are closed by `close`. */
  end(): void {
    this.#isRecorded = this.state === 'followed';
    this.state = 'ended';
    this.heartbeat.reset();
    if (this.#attachment) this.#old.push(this.#attachment);
  }

  /** What was recorded of one that has ended is forgotten. */
  settle(): void {
    if (this.#isRecorded) this.context.watch.forget(this.process);
    else this.context.watch.join(this.process, 0);
    this.#isRecorded = false;
  }

  /** Nothing is attached when it ends, be it called off. */
  *close(): Job {
    // Who is left says so until it is attached again.
    if (this.state !== 'ended' && this.state !== 'left') this.release('waiting');
    yield* this.#closeOld();
  }

  /** Two links of one function would count each call twice. */
  *#closeOld(): Job {
    for (let old = this.#old.at(0); old; old = this.#old.at(0)) {
      yield* old.close();
      this.#old.shift();
    }
  }

  /** Without the trampoline of return probes: executable, but nobody's frame. */
  #modules() {
    return this.#map?.modules.filter(({ path }) => path !== '[uprobes]') ?? [];
  }

  /** Why it cannot be followed while it runs this program. */
  #lastingRefusal(): string | undefined {
    const refusal = refusalOf(this.#candidate);
    return refusal ?? (this.context.shadowed(this.process.pid) ? SHADOWED : undefined);
  }

  /** Why it cannot be followed as its files are now. */
  #readProgram(map: ProcessMap): string | undefined {
    try {
      this.#program = this.context.images.program(this.process.pid, this.#modules());
      return refusalOfProgram(this.#program, map);
    } catch (error) {
      return `its executable: ${describeError(error)}`;
    }
  }
}

/** As often a map is read although its size says that nothing changed. */
const REREAD_SECONDS = 30;

/** Stacks are never shortened without a word. */
const cutOf = (modules: number): string | undefined =>
  modules > MAX_RANGES
    ? `its code lies in ${modules} places, and ${MAX_RANGES} are told apart: some stacks end early`
    : undefined;
