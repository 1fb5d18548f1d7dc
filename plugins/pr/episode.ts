import type { GfpFlags } from '../../core/memory/gfp.js';
import type { PrEpisode } from './events.gen.js';
import { efficiency, PAGE_STATES, type PageStates, RECLAIM_TYPES } from './reclaim.js';

const NODE_BITS = 64;

export interface EpisodeTools {
  readonly flags: GfpFlags;
  /** Whether this kernel says how long reclaimers were put to sleep. */
  readonly saysThrottling: boolean;
}

/** struct pr_episode → the attributes of its span. What the kernel did not say is undefined. */
export function attributesOfEpisode(episode: PrEpisode, { flags, saysThrottling }: EpisodeTools) {
  const { requested, scanned, reclaimed, freed, lists } = episode;
  const type = RECLAIM_TYPES[episode.type] ?? 'other';
  // What was reclaimed had been looked at: a hook that does not say how much saw it.
  const seen = lists === 0 || (scanned === 0 && reclaimed > 0) ? undefined : scanned;
  const isBackground = type === 'kswapd';
  return {
    'memwatcher.reclaim.type': type,
    'memwatcher.reclaim.order': episode.order,
    // kswapd has no request of its own, and of its end only some kernels say what it freed.
    'memwatcher.reclaim.gfp_flags': isBackground ? undefined : flags.describe(episode.gfp),
    'memwatcher.reclaim.nodes': nodesOf(episode.nodes),
    'memwatcher.reclaim.requested': requested || undefined,
    'memwatcher.reclaim.scanned': seen,
    'memwatcher.reclaim.reclaimed': reclaimed,
    'memwatcher.reclaim.freed': isBackground && freed === 0 ? undefined : freed,
    'memwatcher.reclaim.efficiency': efficiency({ scanned: seen, reclaimed }),
    'memwatcher.reclaim.priority': episode.priority < 0 ? undefined : episode.priority,
    'memwatcher.reclaim.throttled': saysThrottling ? episode.throttled_ns / 1e9 : undefined,
    ...encounteredOf(statesOf(episode.known, episode.states)),
  };
}

/** `known`: a bit a state. */
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
