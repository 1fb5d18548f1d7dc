/**
 * Keeps true who is followed: finds the processes that the configuration means, probes them, and
 * lets go of them. `refresh` is cheap and called often; what takes long is done in pieces.
 */
import type { Logger } from '../../../core/logger.js';
import type { Health } from '../../../core/plugin.js';
import type { Closable } from '../../../core/scope.js';
import type { ProcessMap } from '../../../core/symbolize/symbolizer.js';
import type { Happening, UserWatch } from '../user/user-watch.js';
import { symbolsOfInterest } from './allocators.js';
import { type Candidate, keyOf } from './candidate.js';
import { choose, makeRules, type Rule } from './choose.js';
import { samplingInterval, type TargetsConfig } from './config.js';
import { Economy } from './cost/economy.js';
import type { ProbeCost } from './cost/probe-cost.js';
import { ProbeMeter } from './cost/probe-meter.js';
import { type FollowContext, Followed } from './followed.js';
import { type FollowedTarget, told } from './followed-target.js';
import { Identities } from './identity.js';
import { Images } from './images.js';
import { Jobs } from './jobs.js';
import { Links } from './links.js';
import {
  hasShadowStack,
  liveProc,
  NS_PER_TICK,
  type Proc,
  readMemory,
  readProcessOf,
  readStat,
} from './proc.js';
import { Processes, readCandidate } from './processes.js';
import { Retries } from './retries.js';
import { Sharing } from './sharing.js';
import { absenceOf, Voice } from './voice.js';

export interface TargetsOptions {
  readonly watch: UserWatch;
  readonly config: TargetsConfig;
  readonly health: Pick<Health, 'degraded' | 'clear'>;
  readonly logger: Logger;
  /** Executable mappings of a process; the symbolizer's, which keeps their files for later. */
  readonly readMap: (pid: number) => ProcessMap;
  /** Whether the kernel's return probes go with shadow stacks; asked for if there is one. */
  readonly returnsOnShadowStack?: () => boolean;
  readonly proc?: Proc;
  /** Monotonic, seconds. */
  readonly clock?: () => number;
  /** What a probe costs, in place of what is measured. */
  readonly cost?: ProbeCost;
}

/** Between two looks at all processes, seconds. */
const SCAN_EVERY = 1;
/** For one refresh, ms: nothing else runs meanwhile. */
const SLICE_MS = 20;
/** Share of one CPU that others may be made to pay, where there is no budget. */
const DEFAULT_ALLOWANCE = 0.05;
/** How often is looked whether the kernel has let go. */
const CLOSING_EVERY_MS = 5;

export class Targets implements Closable {
  readonly #watch: UserWatch;
  readonly #config: TargetsConfig;
  readonly #logger: Logger;
  readonly #proc: Proc;
  readonly #clock: () => number;
  readonly #rules: readonly Rule[];
  readonly #processes: Processes;
  readonly #images: Images;
  readonly #identities: Identities;
  readonly #context: FollowContext;
  readonly #economy: Economy;
  readonly #sharing: Sharing;
  readonly #meter: ProbeMeter | undefined;
  readonly #voice: Voice;
  readonly #jobs = new Jobs();
  readonly #retries = new Retries();
  /** By key. */
  readonly #targets = new Map<string, Followed>();
  readonly #told = new Map<string, FollowedTarget>();
  /** Children of targets, by key. */
  readonly #adopted = new Map<string, { rule: Rule; parent: Followed }>();
  /** By key, until they are settled. */
  readonly #ended = new Map<string, Followed>();
  /** Keys of those that have exited and may still be seen in /proc, where they would be found anew. */
  readonly #exited = new Set<string>();
  #omitted = 0;
  #absent: readonly number[] = [];
  #scannedAt = Number.NEGATIVE_INFINITY;
  #closings = 0;
  #closed = false;

  constructor(options: TargetsOptions) {
    const { watch, config, health, logger, readMap, proc = liveProc } = options;
    const { returnsOnShadowStack = () => true } = options;
    this.#watch = watch;
    this.#config = config;
    this.#logger = logger;
    this.#proc = proc;
    this.#clock = options.clock ?? (() => performance.now() / 1000);
    this.#rules = makeRules(config.targets);
    this.#processes = new Processes(proc, () => this.#pidsOfInterest());
    this.#images = new Images(
      symbolsOfInterest(config.targets.flatMap(({ functions }) => Object.keys(functions))),
    );
    this.#identities = new Identities(proc);
    const throwing = config.throwing_new === 'auto';
    const shadowed = (pid: number) => hasShadowStack(proc, pid) && !returnsOnShadowStack();
    const self = { pid: process.pid, startTime: ownStartTime(proc) };
    const meter = options.cost ?? new ProbeMeter({ watch, images: this.#images, readMap, self });
    this.#meter = meter instanceof ProbeMeter ? meter : undefined;
    const cost = () => (meter instanceof ProbeMeter ? meter.cost : meter);
    const allowance = config.budget || DEFAULT_ALLOWANCE;
    this.#sharing = new Sharing({ watch, allowance, cost, logger });
    this.#context = {
      ...{ watch, images: this.#images, links: new Links(watch), readMap, throwing, shadowed },
      groupOf: (options) => this.#sharing.groupOf(options),
    };
    this.#economy = new Economy(config, watch, logger, cost);
    this.#voice = new Voice(health, logger);
    watch.setSampling(samplingInterval(config));
  }

  /** Looks at what has changed, and does a piece of what there is to do about it. */
  refresh(): void {
    if (this.#closed) return;
    const now = this.#clock();
    for (const happening of this.#watch.happenings()) this.#happened(happening);
    if (now - this.#scannedAt >= SCAN_EVERY) {
      this.#scannedAt = now;
      this.#scan();
      this.#tend(now);
    }
    this.#jobs.run(SLICE_MS);
    this.#say();
  }

  /** Whether something is still to be attached or detached: then `refresh` soon. */
  get busy(): boolean {
    return this.#jobs.size > 0;
  }

  /** Files whose functions were looked for, since the beginning. */
  get filesRead(): number {
    return this.#images.reads;
  }

  /** Those that have ended since `settle` are among them. */
  current(): readonly FollowedTarget[] {
    const targets = [...this.#targets.values(), ...this.#ended.values()].map((target) => {
      const before = this.#told.get(target.key)?.attributes;
      const now = told(target, this.#identities.of(target.process, target.candidate, before));
      this.#told.set(target.key, now);
      return now;
    });
    this.#identities.sweep();
    return targets;
  }

  /** Forgets those that `current` has told to have ended: their last figures were read. */
  settle(): void {
    for (const target of [...this.#ended.values()]) this.#settle(target);
  }

  #settle(target: Followed): void {
    target.settle();
    this.#ended.delete(target.key);
    this.#told.delete(target.key);
  }

  /** Detaches from all, at the same time. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const key of [...this.#targets.keys()]) this.#drop(key);
    this.settle();
    for (;;) {
      this.#jobs.run(SLICE_MS);
      if (this.#jobs.size === 0) break;
      await new Promise((resolve) => setTimeout(resolve, CLOSING_EVERY_MS));
    }
    this.#images.close();
  }

  /** Without names to be matched nobody else has to be looked at. */
  #pidsOfInterest(): Iterable<number> | undefined {
    if (this.#rules.some(({ config }) => config.pid === undefined || config.children))
      return undefined;
    return new Set(this.#rules.flatMap(({ config: { pid } }) => pid ?? []));
  }

  #happened(happening: Happening): void {
    const { pid, startTime } = happening.process;
    const target = this.#targets.get(keyOfTime(pid, startTime));
    if (!target) return;
    switch (happening.kind) {
      case 'exit':
        this.#exited.add(target.key);
        this.#drop(target.key);
        return;
      case 'exec':
        if (happening.time > target.attachedAt) this.#executed(target);
        return;
      case 'fork':
        if (!target.rule.config.children) return;
        this.#adopted.set(keyOfTime(happening.child.pid, happening.child.startTime), {
          rule: target.rule,
          parent: target,
        });
        this.#scannedAt = Number.NEGATIVE_INFINITY;
    }
  }

  #scan(): void {
    const present = this.#processes.scan();
    const candidates = this.#withoutExited(present);
    this.#adopt(candidates);
    const rules = new Map([...this.#adopted].map(([key, { rule }]) => [key, rule]));
    const refused = [...this.#targets.values()].filter(({ state }) => state === 'refused').length;
    const max = this.#config.max_targets;
    const choice = choose(candidates, this.#rules, {
      // Who cannot be followed takes nobody's place.
      max: max + Math.min(refused, max),
      adopted: rules,
      held: new Set(this.#targets.keys()),
    });
    this.#omitted = choice.omitted;
    this.#absent = choice.absent;
    const keys = new Set(choice.chosen.map(({ candidate }) => keyOf(candidate)));
    for (const key of [...this.#targets.keys()]) if (!keys.has(key)) this.#drop(key);
    const living = new Set(candidates.map(keyOf));
    for (const key of this.#adopted.keys()) if (!living.has(key)) this.#adopted.delete(key);
    for (const chosen of choice.chosen) {
      if (this.#targets.has(keyOf(chosen.candidate))) continue;
      // Of two processes of one pid the kernel's side knows the one.
      for (const old of [...this.#ended.values()]) {
        if (old.process.pid === chosen.candidate.pid) this.#settle(old);
      }
      const target = new Followed(chosen, this.#context);
      const parent = this.#adopted.get(target.key)?.parent;
      if (parent?.rule.config.inherit) target.parent = parent.process;
      this.#targets.set(target.key, target);
      this.#jobs.add(target.key, target.attach());
    }
  }

  /** /proc has a process for a while after the kernel has said that it exits. */
  #withoutExited(present: readonly Candidate[]): readonly Candidate[] {
    if (this.#exited.size === 0) return present;
    const keys = new Set(present.map(keyOf));
    for (const key of this.#exited) if (!keys.has(key)) this.#exited.delete(key);
    return present.filter((candidate) => !this.#exited.has(keyOf(candidate)));
  }

  /** Children of which no fork was told: before the target was followed, or a record was lost. */
  #adopt(candidates: Iterable<{ pid: number; startTicks: number; ppid: number }>): void {
    const parents = new Map(
      [...this.#targets.values()]
        .filter(({ rule }) => rule.config.children)
        .map((target) => [target.process.pid, target]),
    );
    if (parents.size === 0) return;
    for (const candidate of candidates) {
      const parent = parents.get(candidate.ppid);
      const key = keyOf(candidate);
      if (parent && !this.#adopted.has(key)) this.#adopted.set(key, { rule: parent.rule, parent });
    }
  }

  #tend(now: number): void {
    const activity = this.#watch.activity();
    for (const target of [...this.#targets.values()]) {
      const { pid } = target.process;
      const stat = readStat(this.#proc, pid);
      const memory = readMemory(this.#proc, pid);
      if (!stat || stat.zombie || keyOf(stat) !== target.key) {
        this.#exited.add(target.key);
        this.#drop(target.key);
        continue;
      }
      if (!memory) continue; // of the kernel
      if (target.runsAnother(stat)) this.#executed(target);
      else if (target.hasNewCode(memory, now) && target.state === 'followed') {
        if (!this.#jobs.has(target.key)) this.#jobs.add(target.key, target.update());
      }
      if (this.#retries.isDue(target, now) && !this.#jobs.has(target.key)) {
        this.#jobs.add(target.key, target.attach());
      }
      target.beat(stat, memory, activity.get(pid)?.hits ?? 0, now);
    }
    this.#share(now);
    const { leave, resume } = this.#economy.weigh(now, activity, this.#targets);
    for (const [target, why] of leave) {
      this.#jobs.cancel(target.key);
      target.leave(why);
      this.#jobs.add(target.key, target.close());
    }
    for (const target of resume) this.#jobs.add(target.key, target.attach());
  }

  /** Has targets share their links, or not, as it costs less: before those are attached that wait for it. */
  #share(now: number): void {
    const targets = [...this.#targets.values()];
    const followed = targets.filter(({ state }) => state === 'followed');
    if (followed.length > 0 && this.#meter?.isDue(now)) {
      this.#jobs.add('measure', this.#meter.measure(now));
    }
    const waiting = targets.filter(({ state }) => state === 'waiting');
    this.#sharing.weigh(now, [...followed, ...waiting]);
    for (const target of followed) {
      if (target.isMisplaced && !this.#jobs.has(target.key)) {
        this.#jobs.add(target.key, target.regroup());
      }
    }
  }

  /** All that it had is gone with its old memory. */
  #executed(target: Followed): void {
    const candidate = readCandidate(this.#proc, target.process.pid);
    if (!candidate || keyOf(candidate) !== target.key) {
      this.#drop(target.key);
      return;
    }
    this.#jobs.cancel(target.key);
    target.release('waiting');
    target.renew(candidate);
    this.#told.delete(target.key);
    this.#jobs.add(target.key, target.attach());
    this.#logger.debug({ pid: target.process.pid }, `${target.name} executes another program`);
  }

  #drop(key: string): void {
    const target = this.#targets.get(key);
    if (!target) return;
    this.#jobs.cancel(key);
    this.#targets.delete(key);
    this.#economy.forget(key);
    this.#retries.forget(key);
    target.end();
    this.#ended.set(key, target);
    const [oldest] = this.#ended.values();
    if (oldest && this.#ended.size > this.#config.max_targets) this.#settle(oldest);
    this.#jobs.add(`close ${this.#closings++}`, target.close());
  }

  #say(): void {
    // Who is left for its cost is told of with the economy.
    const impaired = [...this.#targets.values()].flatMap(({ name, reason, state }) =>
      reason === undefined || state === 'left' ? [] : [{ name, reason }],
    );
    this.#voice.say({
      impaired,
      omitted: this.#omitted,
      max: this.#config.max_targets,
      absent: this.#absent.map((pid) => absenceOf(pid, readProcessOf(this.#proc, pid))),
      economy: this.#economy.words(this.#targets),
    });
  }
}

/** 0 where /proc does not say. */
function ownStartTime(proc: Proc): number {
  return (readStat(proc, process.pid)?.startTicks ?? 0) * NS_PER_TICK;
}

/** Of what the kernel tells in ns; /proc has ticks of 10 ms. */
const keyOfTime = (pid: number, startTime: number) =>
  keyOf({ pid, startTicks: Math.floor(startTime / 1e7) });
