import type { CliContext } from './context.js';
import { jsonLine } from './json.js';

/** Bytes that may wait for a reader that does not read, beside the last collection. */
const FULL = 4 * 1024 * 1024;

/**
 * Records on stdout, as many as its reader takes: while one that stands still has a full backlog
 * already, collections are dropped whole, counted and told on stderr, so that memory stays bounded.
 */
export class RecordOutput {
  readonly #context: Pick<CliContext, 'stdout' | 'stderr'>;
  #dropped = 0;

  constructor(context: Pick<CliContext, 'stdout' | 'stderr'>) {
    this.#context = context;
  }

  /** All of `records` or none: a large collection must not be cut off for its own size. */
  write(records: Iterable<unknown>): void {
    const { stdout, stderr } = this.#context;
    if ((stdout.writableLength ?? 0) > FULL) {
      if (this.#dropped === 0) {
        stderr.write('mem-watcher: the reader of stdout is too slow: records are dropped\n');
      }
      for (const _ of records) this.#dropped++;
      return;
    }
    this.close();
    for (const record of records) stdout.write(jsonLine(record));
  }

  /** Says how many were dropped since it last said so. */
  close(): void {
    if (this.#dropped === 0) return;
    const records = this.#dropped === 1 ? '1 record was' : `${this.#dropped} records were`;
    this.#dropped = 0;
    this.#context.stderr.write(`mem-watcher: ${records} dropped for a slow reader of stdout\n`);
  }
}
