/**
 * Every error that mem-watcher raises on purpose, in one catalogue.
 *
 * An error has a code that scripts can match, a sentence that says what is wrong and what to do,
 * and the cause where there is one. `NotSupported` names the fact that the kernel lacks, so that
 * the next strategy can be tried and the reason shown.
 */
export type ErrorCode =
  | 'CONFIG_INVALID'
  | 'CONFIG_NOT_FOUND'
  | 'KERNEL_NOT_SUPPORTED'
  | 'NO_STRATEGY'
  | 'PERMISSION_DENIED'
  | 'BPF_LIBRARY_MISSING'
  | 'BPF_OPEN_FAILED'
  | 'BPF_LOAD_FAILED'
  | 'BPF_ATTACH_FAILED'
  | 'BPF_MAP_FAILED'
  | 'BPF_RUN_FAILED'
  | 'BTF_INVALID'
  | 'LAYOUT_INVALID'
  | 'ELF_INVALID'
  /** A process or a file that was to be watched is no more. */
  | 'TARGET_GONE'
  | 'SCOPE_CLOSED'
  | 'DEADLINE_EXCEEDED'
  | 'EXPORT_FAILED'
  | 'USAGE'
  | 'INTERNAL';

export interface ErrorOptions {
  /** What the reader should do about it; shown on a line of its own. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Longer evidence, for instance the last lines of the verifier's log. */
  readonly detail?: string;
  /** The BPF program that was refused, where it was one alone. */
  readonly program?: string;
  /** What the kernel refused, where it was one thing: `BPF programs of type iter/task (EPERM)`. */
  readonly refused?: string;
}

export class MemWatcherError extends Error {
  override readonly name: string = 'MemWatcherError';
  readonly hint: string | undefined;
  readonly detail: string | undefined;
  readonly program: string | undefined;
  readonly refused: string | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: ErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
    this.detail = options.detail;
    this.program = options.program;
    this.refused = options.refused;
  }
}

/** The running kernel lacks `fact`; another strategy may still do. */
export class NotSupported extends MemWatcherError {
  override readonly name = 'NotSupported';

  constructor(
    readonly fact: string,
    options: ErrorOptions = {},
  ) {
    super('KERNEL_NOT_SUPPORTED', `this kernel lacks ${fact}`, options);
  }
}

/** One sentence of any thrown value, with its causes, for a status or a log line. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError) return error.errors.map(describeError).join('; ');
  return error.cause === undefined
    ? error.message
    : `${error.message}: ${describeError(error.cause)}`;
}

/** `ENOENT` and the like, of an error of Node's; undefined of any other. */
export function errnoCode(error: unknown): string | undefined {
  const { code } = (error instanceof Error ? error : {}) as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : undefined;
}
