import { describeError, type ErrorCode, MemWatcherError } from '../errors.js';

const OUR_MISTAKES: readonly ErrorCode[] = [
  'BPF_LIBRARY_MISSING',
  'BPF_OPEN_FAILED',
  'CONFIG_INVALID',
  'INTERNAL',
  'LAYOUT_INVALID',
  'SCOPE_CLOSED',
];

/** Errors that no other strategy and no other kernel would mend. */
export function isOurMistake(error: unknown): boolean {
  return !(error instanceof MemWatcherError) || OUR_MISTAKES.includes(error.code);
}

/** What the kernel refused, in a few words; undefined where it was no one thing. */
export const refusedOf = (error: unknown): string | undefined =>
  error instanceof MemWatcherError ? error.refused : undefined;

/** Lines of the verifier that a reason quotes: the last say why, those before say where. */
const EVIDENCE_LINES = 4;

/** Why something was rejected, in the kernel's words; where it had none, in ours. */
export function reasonOf(error: unknown): string {
  const { detail = '', hint = '' } = error instanceof MemWatcherError ? error : {};
  const lines = (detail || hint).split('\n').filter((line) => line.trim() !== '');
  return [describeError(error), ...lines.slice(-EVIDENCE_LINES)].join('\n');
}
