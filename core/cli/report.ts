import { CommanderError } from 'commander';
import { ConfigError } from '../config/problem.js';
import { describeError, type ErrorCode, MemWatcherError } from '../errors.js';
import { ExitCode, type Output } from './context.js';

const USAGE: ReadonlySet<ErrorCode> = new Set(['USAGE', 'CONFIG_INVALID', 'CONFIG_NOT_FOUND']);

/** Says on stderr what went wrong and what to do; gives the exit code. */
export function reportError(error: unknown, stderr: Output): number {
  // Commander has written its own words already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  if (error instanceof ConfigError) {
    stderr.write(`${error.message}\n`);
    return ExitCode.usage;
  }
  if (!(error instanceof MemWatcherError)) {
    const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
    stderr.write(`mem-watcher: this should not have happened; please report it\n${trace}\n`);
    return ExitCode.failure;
  }
  stderr.write(`mem-watcher: ${describeError(error)}\n`);
  if (error.detail) stderr.write(`${error.detail.replace(/^/gm, '  ')}\n`);
  if (error.hint) stderr.write(`  ${error.hint}\n`);
  return USAGE.has(error.code) ? ExitCode.usage : ExitCode.failure;
}
