import { MemWatcherError } from '../errors.js';

/** One mistake, where it was made. */
export interface ConfigProblem {
  /** The file, or the command-line option that brought the value. */
  readonly source: string;
  /** From 1; undefined where the source has no lines. */
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
}

/** `agent.yaml:3:5: what is wrong`: the form that editors and terminals can jump to. */
export function formatProblem({ source, line, column, message }: ConfigProblem): string {
  const place = line === undefined ? source : `${source}:${line}:${column ?? 1}`;
  return `${place}: ${message}`;
}

/** All mistakes of a configuration at once, in the order of the file. Its message has a line each. */
export class ConfigError extends MemWatcherError {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const ordered = problems.toSorted(
      (a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
    );
    super('CONFIG_INVALID', ordered.map(formatProblem).join('\n'));
    this.problems = ordered;
  }
}
