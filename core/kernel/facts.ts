import { NotSupported } from '../errors.js';
import type { Kernel, Strategy } from './kernel.js';

/** What the kernel lacks of the facts and constants that a strategy, or a part's choice, needs. */
export function missingFacts(
  kernel: Kernel,
  { needs = [], constants = {} }: Pick<Strategy, 'needs' | 'constants'>,
): string[] {
  // A constant often rests on the very fact that the strategy needs: it is said once.
  const missing = new Set<string>();
  for (const fact of needs) {
    const result = kernel.check(fact);
    if (!result.holds) missing.add(`lacks ${result.missing}`);
  }
  for (const parameter of Object.values(constants)) {
    try {
      kernel.resolve(parameter);
    } catch (error) {
      if (!(error instanceof NotSupported)) throw error;
      missing.add(`lacks ${error.fact}`);
    }
  }
  return [...missing];
}
