import { isDeepStrictEqual } from 'node:util';
import type { Health, PluginState, PluginStatus } from './plugin.js';

/**
 * One plugin's status: a life (`starting` → running → `stopped`, or `failed`) and, while it runs,
 * the set of conditions that hold. It is `ok` when none does. Listeners hear changes only: a
 * condition raised every second is one change, also where the figures in its reason move; `current`
 * has the latest.
 */
export class StatusKeeper implements Health {
  readonly #conditions = new Map<string, string>();
  /** By object, '' the plugin's own, and by map: 0 to 1; what the plugin said last. */
  readonly #mapFullness = new Map<string, Map<string, number>>();
  /** Since the plugin was built. */
  decodeErrorCount = 0;
  cgroupsGoneCount = 0;
  #life: 'starting' | 'running' | 'failed' | 'stopped' = 'starting';
  #failure: string | undefined;
  #strategy: string | undefined;
  /** By the parts of the profiles, by object; and by the plugin itself. */
  readonly #partsLack = new Map<string, readonly string[]>();
  #pluginLacks: readonly string[] = [];
  #current: PluginStatus;

  constructor(
    readonly plugin: string,
    private readonly onChange: (status: PluginStatus) => void,
    private readonly clock: () => number = Date.now,
  ) {
    this.#current = this.#compose();
  }

  get current(): PluginStatus {
    return this.#current;
  }

  running(): void {
    this.#life = 'running';
    this.#update();
  }

  failed(reason: string): void {
    this.#life = 'failed';
    this.#failure = reason;
    this.#update();
  }

  stopped(): void {
    this.#life = 'stopped';
    this.#update();
  }

  /**
   * `lacks`: what the parts that could not be loaded would have given. `object` is one besides the
   * plugin's own, whose strategy is not the plugin's.
   */
  usesStrategy(strategy: string, lacks: readonly string[] = [], object = ''): void {
    if (object === '') this.#strategy = strategy;
    this.#partsLack.set(object, [...lacks]);
    this.#update();
  }

  degraded(id: string, reason: string): void {
    this.#conditions.set(id, reason);
    this.#update();
  }

  clear(id: string): void {
    if (this.#conditions.delete(id)) this.#update();
  }

  lacks(what: readonly string[]): void {
    this.#pluginLacks = [...what];
    this.#update();
  }

  fullness(map: string, share: number, object = ''): void {
    const known = this.#mapFullness.get(object);
    if (known) known.set(map, share);
    else this.#mapFullness.set(object, new Map([[map, share]]));
  }

  /** By map, of that object. */
  fullnessOf(object = ''): ReadonlyMap<string, number> | undefined {
    return this.#mapFullness.get(object);
  }

  decodeErrors(count: number): void {
    this.decodeErrorCount += count;
  }

  cgroupsGone(count: number): void {
    this.cgroupsGoneCount += count;
  }

  #update(): void {
    const next = this.#compose();
    const previous = this.#current;
    const same =
      next.state === previous.state &&
      withoutFigures(next.reason) === withoutFigures(previous.reason) &&
      next.strategy === previous.strategy &&
      isDeepStrictEqual(next.lacks, previous.lacks);
    this.#current = same ? { ...next, since: previous.since } : next;
    if (!same) this.onChange(next);
  }

  #compose(): PluginStatus {
    const state = this.#state();
    return {
      plugin: this.plugin,
      state,
      reason: this.#reason(state),
      strategy: this.#strategy,
      lacks: [...new Set([...[...this.#partsLack.values()].flat(), ...this.#pluginLacks])],
      since: this.clock(),
    };
  }

  #state(): PluginState {
    if (this.#life !== 'running') return this.#life;
    return this.#conditions.size > 0 ? 'degraded' : 'ok';
  }

  #reason(state: PluginState): string | undefined {
    if (state === 'failed') return this.#failure;
    return state === 'degraded' ? [...this.#conditions.values()].join('; ') : undefined;
  }
}

/** `lacks` in a person's words; undefined where nothing is lacking. */
export const lacksText = (lacks: readonly string[]): string | undefined =>
  lacks.length === 0 ? undefined : `not on this kernel: ${lacks.join(', ')}`;

const withoutFigures = (reason: string | undefined) => reason?.replace(/\d+(\.\d+)?/g, '#');
