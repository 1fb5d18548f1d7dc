/** The whole agent with plugins of the test, exporting by OTLP to an endpoint of the test. */
import type { Collection } from '../agent.js';
import { createSupervisor, type Foundation } from '../compose.js';
import { type AgentConfig, agentSchema, toAgentConfig } from '../config/schema.js';
import { findInstallation } from '../install.js';
import type { PluginModule } from '../plugin.js';
import type { Supervisor } from '../supervisor.js';
import type { EventRecord } from '../telemetry/events.js';
import { FakeEndpoint } from '../telemetry/testing/endpoint.js';
import { Probe, ProbeSource, probeModule } from './probe.js';

type Item = Record<string, unknown>;
type Temporality = 'delta' | 'cumulative';

export interface SupervisedOptions {
  /** Of agent.yaml, beside the exporters. */
  readonly raw?: Item;
  readonly temporality?: Temporality;
  readonly sources?: ReadonlyMap<string, ProbeSource>;
}

/** A point as it arrived. */
export interface SentPoint {
  /** Unix ns. */
  readonly start: bigint;
  readonly time: bigint;
  readonly value: number;
  /** Attributes, as text. */
  readonly series: string;
}

export class Supervised {
  readonly endpoint: FakeEndpoint;
  readonly supervisor: Supervisor;
  readonly sources: ReadonlyMap<string, ProbeSource>;
  readonly collections: Collection[] = [];
  readonly events: EventRecord[] = [];
  readonly lines: string[] = [];
  readonly #foundation: Foundation;
  readonly #temporality: Temporality;
  #wake = Promise.withResolvers<void>();

  /** With a probe of each name. */
  static probes(names: readonly string[], raw: Item = {}): Promise<Supervised> {
    const sources = new Map(names.map((name) => [name, new ProbeSource()]));
    const build: Foundation['build'] = ({ metadata }, bindings) =>
      new Probe(sources.get(metadata.name) ?? new ProbeSource(), bindings);
    return Supervised.of(names.map(probeModule), build, { raw, sources });
  }

  static async of(
    plugins: readonly PluginModule[],
    build: Foundation['build'],
    options: SupervisedOptions = {},
  ): Promise<Supervised> {
    return new Supervised(plugins, build, options, await new FakeEndpoint().listen());
  }

  private constructor(
    plugins: readonly PluginModule[],
    build: Foundation['build'],
    { raw, temporality = 'delta', sources = new Map() }: SupervisedOptions,
    endpoint: FakeEndpoint,
  ) {
    this.endpoint = endpoint;
    this.sources = sources;
    this.#temporality = temporality;
    this.#foundation = { installation: findInstallation(import.meta.url), plugins, build };
    this.supervisor = createSupervisor(this.#foundation, this.config(raw), {
      log: (line) => void this.lines.push(line),
      onCollection: (collection) => {
        this.collections.push(collection);
        this.#wake.resolve();
        this.#wake = Promise.withResolvers<void>();
      },
      onEvent: (event) => void this.events.push(event),
    });
  }

  source(name: string): ProbeSource {
    const source = this.sources.get(name);
    if (!source) throw new Error(`no plugin ${name}`);
    return source;
  }

  config(raw: Item = {}): AgentConfig {
    const exporters = {
      otlp: { default: { endpoint: this.endpoint.url, temporality: this.#temporality } },
      prometheus: { enabled: false },
    };
    const whole = { interval: '100ms', exporters, ...raw };
    return toAgentConfig(agentSchema(this.#foundation.plugins).parse(whole));
  }

  reload(raw: Item): Promise<boolean> {
    return this.supervisor.reload(() => this.config(raw));
  }

  /** Waits until a collection, new or old, is so. */
  async until(wanted: (collection: Collection) => boolean): Promise<Collection> {
    for (let next = 0; ; next++) {
      while (next === this.collections.length) await this.#wake.promise;
      const collection = this.collections[next] as Collection;
      if (wanted(collection)) return collection;
    }
  }

  /** Waits for a collection that has not been published yet. */
  async next(): Promise<Collection> {
    const seen = this.collections.length;
    while (this.collections.length === seen) await this.#wake.promise;
    return this.collections[seen] as Collection;
  }

  async close(): Promise<void> {
    await this.supervisor.stop();
    await this.endpoint.close();
  }

  /** Values of a counter as they arrived, in the order in which they did. */
  sent(metric: string): number[] {
    return this.points(metric).map(({ value }) => value);
  }

  points(metric: string): SentPoint[] {
    return this.#items('/v1/metrics')
      .filter(({ name }) => name === metric)
      .flatMap(({ sum }) => (sum as { points: Item[] }).points)
      .map(({ start, time, asInt, attributes }) => ({
        start: BigInt(start as bigint),
        time: BigInt(time as bigint),
        value: Number(asInt),
        series: describeAttributes(attributes as Item[]),
      }));
  }

  /** Bodies of the log records of an event as they arrived. */
  bodies(event: string): string[] {
    return this.#items('/v1/logs')
      .filter(({ eventName }) => eventName === event)
      .map(({ body }) => String((body as Item).string));
  }

  /** Times of the log records of an event, Unix ns. */
  times(event: string): bigint[] {
    return this.#items('/v1/logs')
      .filter(({ eventName }) => eventName === event)
      .map(({ time }) => BigInt(time as bigint));
  }

  #items(path: string): Item[] {
    return this.endpoint.received
      .filter((received) => received.path === path)
      .flatMap(({ request }) => request.resources as Item[])
      .flatMap((each) => each.scopes as Item[])
      .flatMap((scope) => scope.items as Item[]);
  }
}

const describeAttributes = (attributes: readonly Item[] = []): string =>
  attributes
    .map(({ key, value }) => `${key}=${Object.values(value as Item)[0]}`)
    .toSorted()
    .join(' ');
