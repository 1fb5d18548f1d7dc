/** How live allocations are walked, where the best way was refused. */
import type { StrategyReport, StrategyVerdict } from '../../../core/kernel/kernel.js';

/** One line; undefined where the first of the ways is taken, or the part is none of the plugin's. */
export function walkNote({ plugin, parts }: StrategyReport): string | undefined {
  const walk = parts.find(({ part }) => part === 'walk');
  if (walk?.chosen === undefined) return undefined;
  const passed = walk.verdicts.filter(({ outcome }) => outcome === 'rejected');
  if (passed.length === 0) return undefined;
  const reasons = passed.map((verdict) => `no ${verdict.strategy}, ${reasonOf(verdict)}`);
  return `${plugin} walks live allocations by ${walk.chosen}: ${reasons.join('; ')}`;
}

/** Without the verifier's evidence, which `doctor` prints. */
function reasonOf({ refused, reasons }: StrategyVerdict): string {
  if (refused !== undefined) return `the kernel refused ${refused}`;
  return reasons.map((reason) => reason.split('\n', 1)[0]).join('; ');
}
