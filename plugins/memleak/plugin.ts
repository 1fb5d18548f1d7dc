import { join } from 'node:path';
import { inject, injectable } from 'tsyringe';
import { describeError, MemWatcherError } from '../../core/errors.js';
import { MonotonicClock } from '../../core/identity/monotonic-clock.js';
import type { Plugin } from '../../core/plugin.js';
import { createSymbolizer } from '../../core/symbolize/create-symbolizer.js';
import { KernelSymbols } from '../../core/symbolize/kallsyms.js';
import { kernelFrames } from '../../core/symbolize/kernel-frames.js';
import { reportKernelNames } from '../../core/symbolize/kernel-names-health.js';
import { BpfLoader, Config, Emitter, Health, Kernel, Logger, Scope } from '../../core/tokens.js';
import { judgeOptionsOf } from './judge/config.js';
import { createJudge, type LastingJudge } from './judge/create-judge.js';
import { JudgeFile } from './judge/judge-file.js';
import { ownerOf } from './judge/saved.js';
import { KernelVoice } from './kernel/kernel-voice.js';
import { KernelWatch } from './kernel/kernel-watch.js';
import { Ledger } from './ledger.js';
import type { MemleakMetadata } from './metadata.js';
import type { Judgement, LeakSnapshot } from './model.js';
import { type KernelNames, Naming } from './naming.js';
import type { ScanConfig } from './reach/config.js';
import { Witness } from './reach/witness.js';
import { Rounds, type RoundsOptions } from './rounds.js';
import { KernelSource, ProcessSource, type Source } from './sources.js';
import { liveProc, NS_PER_TICK, readStat } from './targets/proc.js';
import { Targets, type TargetsOptions } from './targets/targets.js';
import { Losses } from './user/losses.js';
import { openUserWatch, type UserWatcher } from './user/watcher.js';

/** How often targets are looked at, ms. */
const REFRESH_EVERY = 200;
/** While targets are being attached, ms. */
const REFRESH_SOON = 10;
/** What is held of stacks is written so often, ms, and at the end. */
const SAVE_EVERY = 60_000;
/** Windows that a stack may hold nothing before it is forgotten: of the finest but one horizon, all. */
const KEPT_EMPTY = 48;
/** For the first targets to be attached before the first collection, ms. */
const FIRST_ATTACH = 3000;
const NOTHING_TO_TRACE =
  'there is nothing to trace: plugins.memleak.targets is empty and plugins.memleak.kernel.enabled is ' +
  'false; add a target such as `- executable: nginx`, or set kernel.enabled to true, in the ' +
  'configuration file';

@injectable()
export class Memleak implements Plugin<LeakSnapshot> {
  #rounds: Rounds | undefined;
  #watch: UserWatcher | undefined;
  #witness: Witness | undefined;
  #losses: Losses | undefined;
  #kernelSymbols: KernelSymbols | undefined;
  #judge: LastingJudge | undefined;
  #file: JudgeFile | undefined;
  #saving: NodeJS.Timeout | undefined;

  constructor(
    @inject(Scope) private readonly scope: Scope,
    @inject(Config) private readonly config: Config<MemleakMetadata>,
    @inject(BpfLoader) private readonly loader: BpfLoader,
    @inject(Emitter) private readonly emitter: Emitter<MemleakMetadata>,
    @inject(Health) private readonly health: Health,
    @inject(Kernel) private readonly kernel: Kernel,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  async start(): Promise<void> {
    const { config, scope } = this;
    this.#file = this.#openState();
    const symbolizer = scope.use(createSymbolizer());
    const sources: Source[] = [];
    const kernel = config.kernel.enabled ? this.#watchKernel() : undefined;
    if (kernel) sources.push(kernel.source);
    if (config.targets.length > 0 || !config.kernel.enabled) {
      const { watch, targets } = await this.#watchProcesses((pid) => symbolizer.readMap(pid));
      this.#witness = this.#openWitness(watch);
      sources.push(new ProcessSource(watch, targets, this.#witness));
    }
    const judging = judgeOptionsOf(config.judging);
    this.#judge = createJudge(judging);
    this.#rounds = new Rounds({
      sources,
      ledger: new Ledger(this.#judge, judging.window * KEPT_EMPTY),
      naming: new Naming(symbolizer, kernel?.names),
      emitter: this.emitter,
      clock: new MonotonicClock(),
      top: config.top,
      agesEvery: judging.window / 10,
      ...(this.#witness && scanning(this.#witness, config.scan.when)),
    });
    const isIdle = config.targets.length === 0 && !config.kernel.enabled;
    if (isIdle) this.health.degraded('idle', NOTHING_TO_TRACE);
    this.health.lacks(kernel?.lacks ?? []);
  }

  /** What was held of stacks before, by another instance or another run of the agent, is held on. */
  async takeOver(): Promise<void> {
    const saved = await this.#file?.load();
    if (saved) this.#judge?.resume(saved);
    if (!this.#file || this.scope.closed) return;
    this.#saving = setInterval(() => void this.#save(), SAVE_EVERY).unref();
    this.scope.defer(() => this.handOver(false));
  }

  /** `wait`: until it is on the disk. Closing the file waits as well, once probes are detached. */
  async handOver(wait = true): Promise<void> {
    if (!this.#saving) return;
    clearInterval(this.#saving);
    this.#saving = undefined;
    const saved = this.#save();
    if (wait) await saved;
  }

  async #save(): Promise<void> {
    const judge = this.#judge;
    if (judge) await this.#file?.save(() => judge.save(livingOwners()));
  }

  async collect(): Promise<LeakSnapshot> {
    if (!this.#rounds) throw new MemWatcherError('INTERNAL', 'memleak collects before it started');
    const snapshot = await this.#rounds.take();
    if (this.#kernelSymbols) reportKernelNames(this.health, this.#kernelSymbols);
    this.#tellRoom();
    return snapshot;
  }

  async lookCloser(): Promise<void> {
    await this.#witness?.lookAtAll();
  }

  /** How full is what the kernel keeps of processes. */
  #tellRoom(): void {
    if (!this.#watch) return;
    const { allocations, stacks } = this.#watch.fullness;
    this.health.fullness('live', Math.min(1, allocations));
    this.health.fullness('slots', Math.min(1, stacks));
    this.#losses?.check();
  }

  /** Closed last: a disk that is slow to write keeps no probe attached. */
  #openState(): JudgeFile | undefined {
    const { config, logger, health } = this;
    if (config.state_dir === '-') return undefined;
    const path = join(config.state_dir, 'memleak.json');
    return this.scope.use(new JudgeFile(path, { logger, health }));
  }

  /** What keeps the kernel from being watched keeps nobody from watching processes. */
  #watchKernel(): { source: Source; names: KernelNames; lacks: readonly string[] } | undefined {
    const { scope, config } = this;
    const watch = scope.use(new KernelWatch(config.kernel));
    try {
      watch.start(this.loader);
    } catch (error) {
      if (config.targets.length === 0) throw error;
      const { hint } = error instanceof MemWatcherError ? error : {};
      const why = [describeError(error), hint].filter((text) => text).join('; ');
      this.health.degraded('kernel', `cannot trace kernel allocations: ${why}`);
      return undefined;
    }
    scope.use(new KernelVoice(watch, this.health, this.logger)).start();
    const symbols = scope.use(new KernelSymbols());
    this.#kernelSymbols = symbols;
    reportKernelNames(this.health, symbols);
    return {
      source: new KernelSource(watch),
      names: { frames: (addresses) => kernelFrames(symbols, addresses) },
      lacks: watch.lacks,
    };
  }

  async #watchProcesses(
    readMap: TargetsOptions['readMap'],
  ): Promise<{ watch: UserWatcher; targets: Targets }> {
    const { scope, config, health, kernel, logger } = this;
    const watch = scope.use(
      openUserWatch(this.loader, scope, {
        maxAllocations: config.max_allocations,
        maxStacks: config.max_stacks,
        maxDepth: config.stack_depth,
        // Some are being forgotten while their successors are followed already.
        maxTargets: 2 * config.max_targets,
      }),
    );
    this.#watch = watch;
    this.#losses = new Losses(watch.loaded.object, health, config);
    // "x86/shstk: Make return uprobe work with shadow stack", 6.11; sessions are of 6.13.
    const returnsOnShadowStack = () =>
      watch.strategy === 'session' || kernel.check({ kallsyms: 'shstk_update_last_frame' }).holds;
    const targets = scope.use(
      new Targets({ watch, config, health, logger, readMap, returnsOnShadowStack }),
    );
    const until = performance.now() + FIRST_ATTACH;
    do {
      targets.refresh();
      await new Promise((resolve) => setImmediate(resolve));
    } while (targets.busy && performance.now() < until);
    this.#keepTrue(targets);
    return { watch, targets };
  }

  #openWitness(watch: UserWatcher): Witness | undefined {
    const { when, every, share, pause } = this.config.scan;
    if (when === 'never') return undefined;
    return this.scope.use(new Witness(watch, { every: every / 1000, share, pause }));
  }

  /** Between collections nobody catches an error. */
  #keepTrue(targets: Targets): void {
    let timer: NodeJS.Timeout;
    const look = () => {
      try {
        targets.refresh();
        this.health.clear('targets');
      } catch (error) {
        this.health.degraded('targets', `targets cannot be looked at: ${describeError(error)}`);
      }
      timer = setTimeout(look, targets.busy ? REFRESH_SOON : REFRESH_EVERY).unref();
    };
    timer = setTimeout(look, REFRESH_SOON).unref();
    this.scope.defer(() => clearTimeout(timer));
  }
}

const scanning = (witness: Witness, when: ScanConfig['when']) => ({
  tend: tending(witness, when),
  scans: () => witness.totals,
});

/** Has those processes scanned that something is held against, or all. */
function tending(witness: Witness, when: ScanConfig['when']): NonNullable<RoundsOptions['tend']> {
  return (accounts, held) => {
    const accused = new Set(
      held.filter(({ judgement }) => isAccused(judgement)).map(({ account }) => account),
    );
    const alive = accounts.flatMap(({ id, ended, target: { source } }) =>
      source.kind === 'process' && !ended ? [{ id, source }] : [],
    );
    const wanted = alive.filter(({ id }) => when === 'always' || accused.has(id));
    const processesOf = (those: typeof alive) => those.map(({ source }) => source);
    witness.tend(processesOf(wanted), processesOf(alive));
  };
}

const isAccused = ({ state }: Judgement) => state === 'suspected' || state === 'confirmed';

/** Whether a stack of before, by its identity, may be seen again. Each process is looked at once. */
function livingOwners(): (identity: string) => boolean {
  const startTimes = new Map<number, number | undefined>();
  return (identity) => {
    const owner = ownerOf(identity);
    if (!owner) return true;
    const { pid, startTime } = owner;
    if (!startTimes.has(pid)) startTimes.set(pid, startTimeOf(pid));
    return startTimes.get(pid) === startTime;
  };
}

function startTimeOf(pid: number): number | undefined {
  const stat = readStat(liveProc, pid);
  return stat && stat.startTicks * NS_PER_TICK;
}
