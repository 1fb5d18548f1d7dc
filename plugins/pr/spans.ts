import type { BpfObject, RingReader } from '../../core/bpf/host.js';
import { type RecordDecoder, recordDecoder } from '../../core/bpf/record.js';
import { MemWatcherError } from '../../core/errors.js';
import type { MonotonicClock } from '../../core/identity/monotonic-clock.js';
import { attributesOfWho, type Who, type WhoIs } from '../../core/identity/who.js';
import type { GfpFlags } from '../../core/memory/gfp.js';
import type { Health } from '../../core/plugin.js';
import type { Scope } from '../../core/scope.js';
import type { Emitter } from '../../core/telemetry/events.js';
import type { Exemplar } from '../../core/telemetry/points.js';
import type { PrEpisode, PrSpan } from './events.gen.js';
import type { PrMetadata } from './metadata.js';
import {
  efficiency,
  PAGE_STATES,
  type PageStates,
  RECLAIM_TYPES,
  type ReclaimType,
} from './reclaim.js';

/** A few a histogram and collection: they are for people to click on. */
const EXEMPLARS = 4;
const NODE_BITS = 64;

export interface SpanTools {
  readonly whoIs: WhoIs;
  readonly flags: GfpFlags;
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
    const attributes = { ...attributesOfWho(who), ...this.#attributes(episode, record.cgroup_v1) };
    const startTime = clock.unix(episode.begin);
    const endTime = clock.unix(episode.end);
    const span = emitter.span('memwatcher.reclaim', { startTime, endTime, attributes });
    this.sent++;
    if (!span) return;
    const type = attributes['memwatcher.reclaim.type'];
    const value = (episode.end - episode.begin) / 1e9;
    const newest = [{ value, time: endTime, span }, ...(this.#exemplars.get(type) ?? [])];
    this.#exemplars.set(type, newest.slice(0, EXEMPLARS));
  }

  #attributes(episode: PrEpisode, v1: number) {
    const { requested, scanned, reclaimed, freed, lists } = episode;
    const type = RECLAIM_TYPES[episode.type] ?? 'other';
    const seen = lists > 0 ? scanned : undefined;
    const isBackground = type === 'kswapd';
    return {
      'memwatcher.reclaim.type': type,
      'memwatcher.reclaim.order': episode.order,
      // kswapd has no request of its own.
      'memwatcher.reclaim.gfp_flags': isBackground
        ? undefined
        : this.tools.flags.describe(episode.gfp),
      'memwatcher.reclaim.nodes': nodesOf(episode.nodes),
      'memwatcher.reclaim.limit.cgroup': this.#limit(episode, v1),
      'memwatcher.reclaim.requested': requested || undefined,
      'memwatcher.reclaim.scanned': seen,
      'memwatcher.reclaim.reclaimed': reclaimed,
      'memwatcher.reclaim.freed': isBackground && freed === 0 ? undefined : freed,
      'memwatcher.reclaim.efficiency': efficiency({ scanned: seen, reclaimed }),
      'memwatcher.reclaim.priority': episode.priority < 0 ? undefined : episode.priority,
      'memwatcher.reclaim.throttled': episode.throttled_ns / 1e9,
      ...encounteredOf(statesOf(episode.known, episode.states)),
    };
  }

  /** Whose limit it was: often an ancestor of the cgroup that the thread is in. */
  #limit({ target, target_level: level }: PrEpisode, v1: number): string | undefined {
    if (target === 0 || level === 0) return undefined;
    return this.tools.whoIs.cgroup(target, v1 !== 0, 0)?.line;
  }
}

export function statesOf(known: number, states: PrEpisode['states']): PageStates {
  const told = PAGE_STATES.map((state, bit) => [
    state,
    Math.floor(known / 2 ** bit) % 2 === 1 ? states[state] : undefined,
  ]);
  return Object.fromEntries(told) as PageStates;
}

function encounteredOf(states: PageStates) {
  const entries = PAGE_STATES.map((state) => [
    `memwatcher.reclaim.encountered.${state}`,
    states[state],
  ]);
  return Object.fromEntries(entries) as {
    readonly [S in keyof PageStates as `memwatcher.reclaim.encountered.${S}`]: number | undefined;
  };
}

/** Numbers of the bits that are set; a number above 2^53 has lost its lowest ones, not these. */
function nodesOf(bits: number): number[] {
  const nodes: number[] = [];
  for (let node = 0; node < NODE_BITS; node++) {
    if (Math.floor(bits / 2 ** node) % 2 === 1) nodes.push(node);
  }
  return nodes;
}
