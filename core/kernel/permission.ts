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

/** How to get `capabilities`, in one line. */
export function grantHint(capabilities: readonly string[]): string {
  return grantCommands(capabilities).join('; or ');
}

/** As root, for this Node alone, or in a systemd unit: one way a line. */
export function grantCommands(
  capabilities: readonly string[],
  executable = process.execPath,
): string[] {
  // All of them: setcap and AmbientCapabilities replace what was granted before.
  const all = [...new Set([...ALWAYS_NEEDED, ...capabilities])];
  return [
    'run it with sudo',
    `sudo setcap ${all.join(',').toLowerCase()}=ep ${executable}`,
    `AmbientCapabilities=${all.join(' ')} in the systemd unit`,
  ];
}
