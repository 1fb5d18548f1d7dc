import type { PluginStatus } from './plugin.js';

/** A plugin that comes and goes is told once in so many ms. */
const QUIET = 60_000;

interface Plugin {
  /** What was told of it last, and when each kind of news was. */
  last: string;
  readonly at: Map<string, number>;
  /** Its status now, where that was not told. */
  untold: PluginStatus | undefined;
}

/**
 * Tells changes of status, but a condition that comes and goes is one piece of news, not two a
 * collection: what was told within the last minute waits, and is told if it has lasted till then.
 */
export class StatusVoice {
  #plugins = new Map<string, Plugin>();

  constructor(
    private readonly tell: (status: PluginStatus) => void,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** One that remembers what this one has told, and does not tell it again. */
  handOver(tell: (status: PluginStatus) => void): StatusVoice {
    const successor = new StatusVoice(tell, this.clock);
    successor.#plugins = this.#plugins;
    return successor;
  }

  changed(status: PluginStatus): void {
    const plugin = this.#plugins.get(status.plugin) ?? {
      last: '',
      at: new Map<string, number>(),
      untold: undefined,
    };
    this.#plugins.set(status.plugin, plugin);
    plugin.untold = status;
    this.#tell(plugin);
  }

  /** Once a collection: tells what has waited long enough. */
  settle(): void {
    for (const plugin of this.#plugins.values()) this.#tell(plugin);
  }

  #tell(plugin: Plugin): void {
    const status = plugin.untold;
    if (!status) return;
    const news = newsOf(status);
    const now = this.clock();
    const flaps = status.state === 'ok' || status.state === 'degraded';
    const wasRunning = /^(ok|degraded) /.test(plugin.last);
    if (flaps && wasRunning && now - (plugin.at.get(news) ?? Number.NEGATIVE_INFINITY) < QUIET)
      return;
    plugin.untold = undefined;
    // It went and came back while nobody was told.
    if (flaps && news === plugin.last) return;
    plugin.last = news;
    for (const [old, at] of plugin.at) if (now - at >= QUIET) plugin.at.delete(old);
    plugin.at.set(news, now);
    this.tell(status);
  }
}

/** Figures in a reason are no news. */
const newsOf = ({ state, reason, lacks }: PluginStatus) =>
  `${state} ${reason?.replace(/\d+(\.\d+)?/g, '#')} ${lacks.join()}`;
