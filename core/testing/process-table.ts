/** A kernel of the test with processes in it, and a plugin that reads their counters. */
import * as z from 'zod';
import { steadyNow } from '../identity/boot-moment.js';
import { defineMetadata } from '../metadata.js';
import { definePlugin, type Plugin, type PluginModule } from '../plugin.js';
import type { CountedBy } from '../telemetry/points.js';

/** What all instances of the plugin read. */
export class ProcessTable {
  readonly #processes = new Map<number, { readonly startTime: number; faults: number }>();
  /** Page faults of all processes, ever. */
  faults = 0;
  /** Processes that no instance sees for now, as one that is not among the top. */
  readonly hidden = new Set<number>();
  /** Awaited at the end of each start, and before each collection. */
  starting: () => unknown = () => undefined;
  collecting: () => unknown = () => undefined;

  /** Of a new process, unless it is there. */
  fault(pid: number, count = 1): void {
    const process = this.#processes.get(pid) ?? { startTime: steadyNow(), faults: 0 };
    this.#processes.set(pid, process);
    process.faults += count;
    this.faults += count;
  }

  exit(pid: number): void {
    this.#processes.delete(pid);
  }

  get lifetimes(): Counter[] {
    return [...this.#processes]
      .filter(([pid]) => !this.hidden.has(pid))
      .map(([pid, { startTime, faults }]) => ({ pid, startTime, value: faults, by: 'kernel' }));
  }
}

interface Counter {
  /** 0: of all processes. */
  readonly pid: number;
  readonly startTime: number | undefined;
  readonly value: number;
  readonly by: CountedBy;
}

/** The kernel's counter of each process, and what it counted itself: from its start on. */
class ProcessPlugin implements Plugin<readonly Counter[]> {
  #before = 0;
  #since = 0;

  constructor(private readonly table: ProcessTable) {}

  async start(): Promise<void> {
    this.#before = this.table.faults;
    this.#since = steadyNow();
    await this.table.starting();
  }

  async collect(): Promise<readonly Counter[]> {
    const value = this.table.faults - this.#before;
    const { lifetimes } = this.table;
    await this.table.collecting();
    return [
      ...lifetimes,
      // One of each kind: as old as the plugin, and with a start time of its own.
      { pid: 0, startTime: undefined, value, by: 'instance' },
      { pid: 1, startTime: this.#since, value, by: 'instance' },
    ];
  }
}

const metadata = defineMetadata({
  name: 'processes',
  title: 'processes',
  description: 'For tests',
  attributes: { 'process.pid': { type: 'int', description: 'which process', example: 1 } },
  metrics: {
    'memwatcher.processes.faults': {
      kind: 'counter',
      unit: '{fault}',
      description: 'Page faults of a process',
      attributes: ['process.pid'],
    },
    'memwatcher.processes.seen': {
      kind: 'counter',
      unit: '{fault}',
      description: 'Page faults that this instance has seen',
      attributes: ['process.pid'],
    },
  },
  events: {},
  spans: {},
  config: z.strictObject({ label: z.string().default('').describe('a label') }),
});

export const processModule: PluginModule = definePlugin<typeof metadata, readonly Counter[]>({
  metadata,
  Plugin: ProcessPlugin,
  report: (counters, out) => {
    for (const { pid, value, startTime, by } of counters) {
      const name = by === 'kernel' ? 'memwatcher.processes.faults' : 'memwatcher.processes.seen';
      out.point(name, value, { 'process.pid': pid }, startTime, by);
    }
  },
  view: { summary: '', options: [], tables: () => [], overview: () => [] },
});

export const processPlugin = (table: ProcessTable) => new ProcessPlugin(table) as Plugin;
