/** Which capabilities are missing, and the commands that grant them. */
import { MemWatcherError } from '../errors.js';
import type { Kernel } from './kernel.js';

/** Without these no program of ours can be loaded, whatever the strategy. */
export const ALWAYS_NEEDED = ['CAP_BPF', 'CAP_PERFMON'] as const;

/** The error for a process that may load nothing; undefined if it may. */
export function permissionShortage(kernel: Kernel): MemWatcherError | undefined {
  const missing = ALWAYS_NEEDED.filter((capability) => !kernel.check({ capability }).holds);
  if (missing.length === 0) return undefined;
  return new MemWatcherError('PERMISSION_DENIED', `${missing.join(' and ')} missing`, {
    hint: grantHint(missing),
  });
}

/** How to get `capabilities`: as root, for this Node, or in a systemd unit. */
export function grantHint(capabilities: readonly string[], executable = process.execPath): string {
  const list = capabilities.join(',').toLowerCase();
  return (
    `run with sudo; or setcap ${list}=ep ${executable}; ` +
    `or AmbientCapabilities=${capabilities.join(' ')} in the systemd unit`
  );
}
