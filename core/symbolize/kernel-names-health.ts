import type { Health } from '../plugin.js';
import type { KernelSymbols } from './kallsyms.js';

/**
 * Reports whether kernel stacks have function names. Permissions and sysctls decide that, and both
 * can be changed: it is a condition, and not something that this kernel lacks.
 */
export function reportKernelNames(
  health: Pick<Health, 'degraded' | 'clear'>,
  { reason }: Pick<KernelSymbols, 'reason'>,
): void {
  if (reason === undefined) health.clear(CONDITION);
  else health.degraded(CONDITION, `kernel stacks have no function names: ${reason}`);
}

const CONDITION = 'kernel_names';
