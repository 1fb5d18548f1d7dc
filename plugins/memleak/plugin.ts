import { join } from 'node:path';
import { inject, injectable } from 'tsyringe';
import { describeError, MemWatcherError } from '../../core/errors.js';
import { MonotonicClock } from '../../core/identity/monotonic-clock.js';
import type { Plugin } from '../../core/plugin.js';
import { createSymbolizer } from '../../core/symbolize/create-symbolizer.js';
import { KernelSymbols } from '../../core/symbolize/kallsyms.js';
import { kernelFrames } from '../../core/symbolize/kernel-frames.js';
import { BpfLoader, Config, Emitter, Health, Kernel, Logger, Scope } from '../../core/tokens.js';
import { judgeOptionsOf } from './judge/config.js';
import { createJudge } from './judge/create-judge.js';
import type { Judge } from './judge/judge.js';
import { JudgeFile } from './judge/judge-file.js';
import type { JudgeOptions } from './judge/options.js';
import { ownerOf } from './judge/saved.js';
import { KernelVoice } from './kernel/kernel-voice.js';
import { KernelWatch } from './kernel/kernel-watch.js';
import { Ledger } from './ledger.js';
import type { MemleakMetadata } from './metadata.js';
import type { LeakSnapshot } from './model.js';
import { type KernelNames, Naming } from './naming.js';
import { Rounds } from './rounds.js';
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

@injectable()
export class Memleak implements Plugin<LeakSnapshot> {
  #rounds: Rounds | undefined;
  #watch: UserWatcher | undefined;
  #losses: Losses | undefined;

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
    const symbolizer = scope.use(createSymbolizer());
    const sources: Source[] = [];
    const kernel = config.kernel.enabled ? this.#watchKernel() : undefined;
    if (kernel) sources.push(kernel.source);
    if (config.targets.length > 0 || !config.kernel.enabled) {
      sources.push(await this.#watchProcesses((pid) => symbolizer.readMap(pid)));
    }
    const judging = judgeOptionsOf(config.judging);
    this.#rounds = new Rounds({
      sources,
      ledger: new Ledger(this.#judge(judging), judging.window * KEPT_EMPTY),
      naming: new Naming(symbolizer, kernel?.names),
      emitter: this.emitter,
      clock: new MonotonicClock(),
      top: config.top,
      agesEvery: judging.window / 10,
    });
    const nobody = config.targets.length === 0 && !config.kernel.enabled;
    this.health.lacks([
      ...(nobody ? ['anything to watch: plugins.memleak.targets is empty'] : []),
      ...(kernel?.lacks ?? []),
    ]);
  }

  async collect(): Promise<LeakSnapshot> {
    if (!this.#rounds) throw new MemWatcherError('INTERNAL', 'memleak collects before it started');
    const snapshot = await this.#rounds.take();
    this.#tellRoom();
    return snapshot;
  }

  /** How full is what the kernel keeps of processes. */
  #tellRoom(): void {
    if (!this.#watch) return;
    const { allocations, stacks } = this.#watch.fullness;
    this.health.fullness('live', Math.min(1, allocations));
    this.health.fullness('slots', Math.min(1, stacks));
    this.#losses?.check();
  }

  /** What was held of stacks before the agent was started again is held on. */
  #judge(options: JudgeOptions): Judge {
    const { state_dir } = this.config;
    if (state_dir === '-') return createJudge(options);
    const file = new JudgeFile(join(state_dir, 'memleak.json'), this.logger);
    const judge = createJudge(options, file.load());
    const save = () => file.save(judge.save(isLiving));
    const timer = setInterval(save, SAVE_EVERY).unref();
    this.scope.defer(() => {
      clearInterval(timer);
      save();
    });
    return judge;
  }

  /** What keeps the kernel from being watched keeps nobody from watching processes. */
  #watchKernel(): { source: Source; names: KernelNames; lacks: readonly string[] } | undefined {
    const { scope, config } = this;
    const watch = scope.use(new KernelWatch(config.kernel));
    try {
      watch.start(this.loader);
    } catch (error) {
      if (config.targets.length === 0) throw error;
      this.health.degraded('kernel', `the kernel cannot be watched: ${describeError(error)}`);
      return undefined;
    }
    scope.use(new KernelVoice(watch, this.health, this.logger)).start();
    const symbols = scope.use(new KernelSymbols());
    const { reason } = symbols;
    return {
      source: new KernelSource(watch),
      names: { frames: (addresses) => kernelFrames(symbols, addresses) },
      lacks: [...watch.lacks, ...(reason ? [`names in kernel stacks: ${reason}`] : [])],
    };
  }

  async #watchProcesses(readMap: TargetsOptions['readMap']): Promise<ProcessSource> {
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
    return new ProcessSource(watch, targets);
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

/** Whether a stack of before, by its identity, may be seen again. */
function isLiving(identity: string): boolean {
  const owner = ownerOf(identity);
  if (!owner) return true;
  const stat = readStat(liveProc, owner.pid);
  const startTime = stat && stat.startTicks * NS_PER_TICK;
  return startTime === owner.startTime;
}
