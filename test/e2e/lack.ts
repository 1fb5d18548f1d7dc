import { describeError } from '../../core/errors.js';
import { collectorBinary } from './real-parts.js';

/** What this machine lacks for the end-to-end tests; in CI nothing may be lacking. */
export async function lackForE2e(): Promise<string | false> {
  if (process.getuid?.() !== 0) return 'root is needed to load BPF programs';
  try {
    await collectorBinary();
    return false;
  } catch (error) {
    if (process.env.CI) throw error;
    return describeError(error);
  }
}
