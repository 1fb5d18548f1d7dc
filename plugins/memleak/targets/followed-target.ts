import type { ProcessAttributes } from '../../../core/identity/who.js';
import type { ProcessMap } from '../../../core/symbolize/symbolizer.js';
import type { ProcessId } from '../model.js';
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
  /** Allocators that are followed: `glibc`, `jemalloc`… */
  readonly allocators: readonly string[];
  /** What is wrong with it; absent if all is well. */
  readonly reason?: string;
  /** For the symbolizer: executable mappings, also of a process that has just gone. */
  readonly map?: ProcessMap;
  /** Resident anonymous bytes, a second ago at most. */
  readonly rssAnon?: number;
}

/** `attributes` are asked for once. */
export function told(
  target: Followed,
  before: FollowedTarget | undefined,
  attributes: () => ProcessAttributes,
): FollowedTarget {
  const { candidate, process, state, allocators, reason, map, rssAnon } = target;
  const known = before?.attributes ?? attributes();
  const containerId = known['container.id'];
  return {
    process,
    comm: candidate.comm,
    executable: candidate.executable ?? candidate.comm,
    ...(containerId !== undefined && { containerId }),
    attributes: known,
    state,
    allocators,
    ...(reason !== undefined && { reason }),
    ...(map && { map }),
    ...(rssAnon !== undefined && { rssAnon }),
  };
}
