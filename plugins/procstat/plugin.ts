import { readFileSync } from 'node:fs';
import { inject, injectable } from 'tsyringe';
import { MemWatcherError } from '../../core/errors.js';
import { bootMoment, bootSecond, steadyNow } from '../../core/identity/boot-moment.js';
import { CgroupPaths } from '../../core/identity/cgroup-paths.js';
import { type Filter, makeFilter, passwdUserId } from '../../core/identity/filter.js';
import { pageSize, possibleCpus } from '../../core/identity/host.js';
import type { Plugin } from '../../core/plugin.js';
import { BpfLoader, Config, Health, Scope } from '../../core/tokens.js';
import { SeriesActivity } from './activity.js';
import { Commands } from './commands.js';
import { CpuParts, verifyCpuParts } from './cpu-parts.js';
import { ProcstatDecoder } from './decoder.js';
import { Losses } from './losses.js';
import type { ProcstatMetadata } from './metadata.js';
import { type TaskPass, taskPass, verifyPass, walkCapacity } from './pass.js';
import type { Process } from './process.js';
import { OTHER, type Selected, select } from './select.js';
import type { ProcstatSeries, ProcstatSnapshot, WhoseAttributes } from './snapshot.js';
import { Whose } from './whose.js';

/** The processes in no container, when containers are asked for. */
const HOST = '';

@injectable()
export class ProcstatPlugin implements Plugin<ProcstatSnapshot> {
  readonly #whose: Whose;
  /**
   * ms by which `Process.startTime` is early: it lacks a fraction of a second, and a counter that
   * begins after the last export must not seem to be older.
   */
  readonly #early = bootMoment() - bootSecond();
  readonly #activity = new SeriesActivity(steadyNow() - this.#early);
  readonly #filter: Filter<Process>;
  #decoder: ProcstatDecoder | undefined;
  #pass: TaskPass | undefined;
  #cpuParts: CpuParts | undefined;
  #losses: Losses | undefined;

  constructor(
    @inject(Scope) private readonly scope: Scope,
    @inject(Config) private readonly config: Config<ProcstatMetadata>,
    @inject(BpfLoader) private readonly loader: BpfLoader,
    @inject(Health) private readonly health: Health,
  ) {
    const commands = new Commands(config.command_length);
    this.#whose = new Whose(commands, new CgroupPaths(), config.command_line);
    this.#filter = makeFilter(config, {
      cgroup: (process) => this.#whose.cgroupOf(process),
      userId: (name) => passwdUserId(readFileSync('/etc/passwd', 'utf8'), name),
    });
  }

  start(): void {
    const cpus = possibleCpus();
    const loaded = this.scope.use(
      this.loader.load({
        constants: { cpu_count: Math.max(...cpus) + 1 },
        maxEntries: {
          by_pid: this.config.capacity,
          walked: walkCapacity(this.config.capacity),
        },
        verify: (candidate) => {
          verifyCpuParts(candidate);
          verifyPass(candidate);
        },
      }),
    );
    this.#cpuParts = new CpuParts(loaded, cpus);
    this.#decoder = new ProcstatDecoder(
      {
        process: loaded.object.layout('procstat_process'),
        thread: loaded.object.layout('procstat_thread'),
      },
      { pageSize: pageSize(), bootTime: bootSecond() },
    );
    this.#pass = taskPass(loaded, this.scope);
    this.#losses = new Losses(loaded, this.health, this.config.capacity);
    // The hooks renew only what a pass has seen, and counters begin with what a first pass says.
    this.#activity.finish(this.#processes().processes, steadyNow());
  }

  collect(): ProcstatSnapshot {
    const { processes, total } = this.#processes();
    const selection = select(processes, {
      sort: this.config.sort,
      top: this.config.top,
      groupOf: this.#groupOf(),
    });
    const series = selection.top.map((selected) => this.#series(selected));
    if (selection.other) series.push(this.#other(selection.other));
    this.#activity.finish(processes, steadyNow());
    this.#whose.sweep();
    this.#losses?.check();
    if (this.#pass?.isByPid) {
      this.health.fullness('by_pid', Math.min(1, total / this.config.capacity));
    }
    return { series, processes: total };
  }

  #processes(): { processes: readonly Process[]; total: number } {
    if (!this.#decoder || !this.#pass) {
      throw new MemWatcherError('INTERNAL', 'procstat was asked to collect before it started');
    }
    this.#cpuParts?.update();
    const { bytes, stride } = this.#pass.read();
    const { processes, unreadable } = this.#decoder.decode(bytes, stride);
    if (unreadable > 0) {
      const reason = `${unreadable} bytes of the last pass were no record: rebuild the BPF object`;
      this.health.degraded('decode', reason);
      this.health.decodeErrors(1);
    } else {
      this.health.clear('decode');
    }
    return { processes: processes.filter(this.#filter), total: processes.length };
  }

  #groupOf(): ((process: Process) => string) | undefined {
    switch (this.config.by) {
      case 'process':
        return undefined;
      case 'executable':
        return (process) => process.executable;
      case 'container':
        return (process) => this.#whose.cgroupOf(process)?.containerId ?? HOST;
    }
  }

  #series(selected: Selected): ProcstatSeries {
    const [first] = selected.members;
    if (this.config.by === 'process' && first) {
      // A snapshot is of its moment; the decoder writes its own objects anew.
      const process = { ...first };
      return {
        attributes: this.#whose.process(process),
        members: 1,
        process,
        memory: process,
        activity: process,
        startTime: first.startTime + this.#early,
      };
    }
    return this.#together(selected, first ? this.#groupAttributes(first) : {});
  }

  #other(selected: Selected): ProcstatSeries {
    return this.#together(selected, { 'memwatcher.process.other': true });
  }

  #together({ key, members, figures }: Selected, attributes: WhoseAttributes): ProcstatSeries {
    const other = attributes['memwatcher.process.other'] === true;
    const counters = this.#activity.add(other ? OTHER : `${this.config.by} ${key}`, members);
    return {
      attributes,
      members: members.length,
      process: undefined,
      memory: figures,
      activity: counters.total,
      startTime: counters.startTime,
    };
  }

  #groupAttributes(member: Process): WhoseAttributes {
    return this.config.by === 'executable'
      ? this.#whose.executable(member)
      : this.#whose.container(member);
  }
}
