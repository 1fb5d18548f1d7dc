import type { BpfObject, RingReader } from '../../core/bpf/host.js';
import { type RecordDecoder, recordDecoder } from '../../core/bpf/record.js';
import { MemWatcherError } from '../../core/errors.js';
import type { MonotonicClock } from '../../core/identity/monotonic-clock.js';
import { attributesOfWho, type Who, type WhoIs } from '../../core/identity/who.js';
import type { Health } from '../../core/plugin.js';
import type { Scope } from '../../core/scope.js';
import type { Emitter } from '../../core/telemetry/events.js';
import type { Exemplar } from '../../core/telemetry/points.js';
import { attributesOfEpisode, type EpisodeTools } from './episode.js';
import type { PrEpisode, PrSpan } from './events.gen.js';
import type { PrMetadata } from './metadata.js';
import type { ReclaimType } from './reclaim.js';

/** A few a histogram and collection: they are for people to click on. */
const EXEMPLARS = 4;

export interface SpanTools extends EpisodeTools {
  readonly whoIs: WhoIs;
  readonly clock: MonotonicClock;
  readonly emitter: Emitter<PrMetadata>;
  readonly health: Health;
  readonly filter: (who: Who) => boolean;
}

/** Episodes that were long enough, as they come from the ring. */
export class Spans {
  readonly #ring: RingReader;
  readonly #decoder: RecordDecoder<PrSpan>;
  readonly #exemplars = new Map<ReclaimType, Exemplar[]>();
  sent = 0;
  filtered = 0;
  /** Nobody takes traces. */
  unwanted = 0;

  constructor(
    object: BpfObject,
    scope: Scope,
    private readonly tools: SpanTools,
  ) {
    this.#ring = scope.use(object.map('spans').ring());
    this.#decoder = recordDecoder<PrSpan>(object.layout('pr_span')) as RecordDecoder<PrSpan>;
  }

  /** Often: who is gone cannot be asked for its cgroup. */
  drain(): void {
    this.tools.clock.sync();
    let unreadable = 0;
    this.#ring.drain((view, offset, length) => {
      try {
        this.#send(this.#decoder.decode(view, offset, length));
      } catch (error) {
        if (!(error instanceof MemWatcherError)) throw error;
        unreadable++;
      }
    });
    if (unreadable > 0) this.tools.health.decodeErrors(unreadable);
  }

  /** Newest first; each is given once. */
  takeExemplars(type: ReclaimType): readonly Exemplar[] {
    const taken = this.#exemplars.get(type) ?? [];
    this.#exemplars.delete(type);
    return taken;
  }

  #send({ who: record, episode }: PrSpan): void {
    const { whoIs, clock, emitter, filter } = this.tools;
    const who = whoIs.who(record);
    if (!filter(who)) {
      this.filtered++;
      return;
    }
    const attributes = {
      ...attributesOfWho(who),
      ...attributesOfEpisode(episode, this.tools),
      'memwatcher.reclaim.limit.cgroup': this.#limit(episode, record.cgroup_v1),
    };
    const startTime = clock.unix(episode.begin);
    const endTime = clock.unix(episode.end);
    const span = emitter.span('memwatcher.reclaim', { startTime, endTime, attributes });
    if (!span) {
      this.unwanted++;
      return;
    }
    this.sent++;
    const type = attributes['memwatcher.reclaim.type'];
    const value = (episode.end - episode.begin) / 1e9;
    const newest = [{ value, time: endTime, span }, ...(this.#exemplars.get(type) ?? [])];
    this.#exemplars.set(type, newest.slice(0, EXEMPLARS));
  }

  /** Whose limit it was: often an ancestor of the cgroup that the thread is in. */
  #limit({ target, target_level: level }: PrEpisode, v1: number): string | undefined {
    if (target === 0 || level === 0) return undefined;
    return this.tools.whoIs.cgroup(target, v1 !== 0, 0)?.line;
  }
}
