import type { GfpFlags } from '../../core/memory/gfp.js';
import type { Config } from '../../core/tokens.js';
import type { PafMetadata } from './metadata.js';

/** The `const volatile` globals of the object. `nodes`: the highest possible node number and one. */
export function constantsOf(
  config: Config<PafMetadata>,
  gfp: Pick<GfpFlags, 'mask'>,
  nodes: number,
): Readonly<Record<string, number | boolean>> {
  const mask = (...names: readonly `__GFP_${string}`[]) =>
    names.reduce((sum, name) => (sum | (gfp.mask(name) ?? 0)) >>> 0, 0);
  return {
    node_count: nodes,
    stack_depth: config.stack_depth,
    stack_rate: config.stack_rate,
    window_ns: Math.round(config.window * 1e6),
    // A filter that asks for a process must not be given folds of several.
    by_process: config.pids.length + config.names.length > 0,
    attempt_interval_ns: Math.round(1e9 / config.attempt_rate),
    gfp_account: mask('__GFP_ACCOUNT'),
    gfp_varying: mask('__GFP_HARDWALL', '__GFP_DIRECT_RECLAIM', '__GFP_ATOMIC'),
    gfp_io: mask('__GFP_IO'),
    gfp_fs: mask('__GFP_FS'),
  };
}
