/** Plugins for tests of the whole agent: each sees one source, as plugins see one kernel. */
import { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import * as z from 'zod';
import { defineMetadata } from '../metadata.js';
import { definePlugin, type Plugin, type PluginModule } from '../plugin.js';
import type { PluginBindings } from '../plugin-runner.js';

/** What all instances of a plugin see: happenings since each was started. */
export class ProbeSource extends EventEmitter {
  built = 0;
  closed = 0;
  /** Who took over and handed over, by the number of the instance, in their order. */
  readonly handed: string[] = [];
  /** Awaited by each start and collection. */
  starting: () => unknown = () => undefined;
  collecting: () => unknown = () => undefined;
  closing: () => unknown = () => undefined;
  /** What every instance's counter begins with. */
  base = 0;

  happen(body = 'it happened'): void {
    this.emit('happened', body, Date.now());
  }
}

export interface ProbeRecords {
  readonly count: number;
}

/** Counts what happens from its start on, and reports each as an event: at once, or when it settles. */
export class Probe implements Plugin<ProbeRecords> {
  #count: number;
  readonly #number: number;
  readonly #waiting: (readonly [string, number])[] = [];

  constructor(
    private readonly source: ProbeSource,
    private readonly bindings: PluginBindings,
  ) {
    this.#number = ++source.built;
    this.#count = source.base;
  }

  async start(): Promise<void> {
    const { source, bindings } = this;
    bindings.scope.defer(async () => {
      source.closed++;
      await source.closing();
      this.settle();
    });
    if (bindings.config.label === 'broken') throw new Error('no such thing');
    const see = (body: string, time: number) => {
      this.#count++;
      this.#waiting.push([body, time]);
      if (bindings.config.waits !== true) this.settle();
    };
    source.on('happened', see);
    bindings.scope.defer(() => void source.off('happened', see));
    await source.starting();
  }

  async collect(): Promise<ProbeRecords> {
    const count = this.#count;
    await this.source.collecting();
    return { count };
  }

  async takeOver(): Promise<void> {
    await setImmediate();
    this.source.handed.push(`${this.#number} takes over`);
  }

  async handOver(): Promise<void> {
    await setImmediate();
    this.source.handed.push(`${this.#number} hands over`);
  }

  settle(): void {
    const { emitter } = this.bindings;
    for (const [body, time] of this.#waiting.splice(0)) {
      emitter.event('memwatcher.probe.happened' as never, body, {} as never, { time });
    }
  }
}

export function probeModule(name: string): PluginModule {
  const metadata = defineMetadata({
    name,
    title: name,
    description: 'For tests',
    attributes: {},
    metrics: {
      [`memwatcher.${name}.count`]: {
        kind: 'counter',
        unit: '{thing}',
        description: 'Things that happened',
        attributes: [],
      },
    },
    events: {
      'memwatcher.probe.happened': { description: 'it', severity: 'INFO', attributes: [] },
    },
    spans: {},
    config: z.strictObject({
      label: z.string().default('').describe('a label'),
      waits: z.boolean().default(false).describe('events wait until it settles'),
    }),
  });
  return definePlugin<typeof metadata, ProbeRecords>({
    metadata,
    Plugin: Probe,
    report: ({ count }, out) => out.point(`memwatcher.${name}.count`, count, {}),
    view: { summary: '', options: [], tables: () => [], overview: () => [] },
  });
}
