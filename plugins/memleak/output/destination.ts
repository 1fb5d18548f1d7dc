import { closeSync, openSync, writeSync } from 'node:fs';
import type { Output } from '../../../core/cli/context.js';
import { describeError, type ErrorCode, MemWatcherError } from '../../../core/errors.js';
import type { Closable } from '../../../core/scope.js';

/** Where the reports go: stdout, or a file that is opened before anything is watched. */
export interface Destination extends Closable {
  write(data: string | Uint8Array): void;
}

export function destinationOf(file: string | undefined, stdout: Output): Destination {
  if (file === undefined)
    return { write: (data) => void stdout.write(data), close: () => undefined };
  const fd = guarded('USAGE', file, () => openSync(file, 'w', 0o644));
  return {
    write: (data) => guarded('EXPORT_FAILED', file, () => writeWhole(fd, data)),
    close: () => closeSync(fd),
  };
}

function writeWhole(fd: number, data: string | Uint8Array): void {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

function guarded<T>(code: ErrorCode, file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new MemWatcherError(code, `--output ${file}: ${describeError(error)}`);
  }
}
