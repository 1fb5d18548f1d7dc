import { describeError } from '../../core/errors.js';
import { collectorBinary, jaegerBinary } from './real-parts.js';

/** What this machine lacks for the end-to-end tests; in CI nothing may be lacking. */
export async function lackForE2e(): Promise<string | false> {
  if (process.getuid?.() !== 0) return 'root is needed to load BPF programs';
  return lackOf(collectorBinary);
}

/** The same of what needs Jaeger as well, and no BPF. */
export async function lackForJaeger(): Promise<string | false> {
  return (await lackOf(collectorBinary)) || lackOf(jaegerBinary);
}

async function lackOf(binary: () => Promise<string>): Promise<string | false> {
  try {
    await binary();
    return false;
  } catch (error) {
    if (process.env.CI) throw error;
    return describeError(error);
  }
}
