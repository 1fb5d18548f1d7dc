import type { ProcessAttributes } from '../../../core/identity/who.js';
import type { ProcessMap } from '../../../core/symbolize/symbolizer.js';
import type { ProcessId } from '../model.js';
import type { CodeRange } from '../user/user-watch.js';
import type { Followed, FollowState } from './followed.js';

/** A target as the rest of the plugin sees it. */
export interface FollowedTarget {
  readonly process: ProcessId;
  readonly comm: string;
  /** Path as the agent's root has it; its name where that is hidden. */
  readonly executable: string;
  readonly containerId?: string;
  readonly attributes: ProcessAttributes;
  readonly state: FollowState;
  /** When its counters began, Unix ms. */
  readonly countsSince: number;
  /** Allocators that are followed: `glibc`, `jemalloc`… */
  readonly allocators: readonly string[];
  /** What is wrong with it; absent if all is well. */
  readonly reason?: string;
  /** For the symbolizer: executable mappings, also of a process that has just gone. */
  readonly map?: ProcessMap;
  /** Where its runtimes have what they run programs by; which of it is on a stack changes. */
  readonly interpreters: readonly CodeRange[];
  /** Resident anonymous bytes, a second ago at most. */
  readonly rssAnon?: number;
  /** The same as it began to be followed. */
  readonly rssAnonBefore?: number;
}

export function told(target: Followed, attributes: ProcessAttributes): FollowedTarget {
  const { candidate, process, state, countsSince, allocators, reason, map, rssAnon } = target;
  const { rssAnonBefore, interpreters } = target;
  const containerId = attributes['container.id'];
  return {
    process,
    comm: candidate.comm,
    executable: candidate.executable ?? candidate.comm,
    ...(containerId !== undefined && { containerId }),
    attributes,
    state,
    countsSince,
    allocators,
    interpreters,
    ...(reason !== undefined && { reason }),
    ...(map && { map }),
    ...(rssAnon !== undefined && { rssAnon }),
    ...(rssAnonBefore !== undefined && { rssAnonBefore }),
  };
}
