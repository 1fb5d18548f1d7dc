/**
 * A reporter for `node --test` that writes one JSON line a test: what the runner counts, on this
 * machine and in the guests alike.
 */
import { relative, resolve } from 'node:path';
import type { TestEvent } from 'node:test/reporters';

export interface TestLine {
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Suites and tests from the outside in, joined by ` › `. */
  readonly name: string;
  readonly file: string;
  readonly ms: number;
  /** Why it was skipped, or how it failed. */
  readonly reason?: string;
}

/** How long a file took, the start of its own Node included. */
export interface FileLine {
  readonly file: string;
  readonly ms: number;
}

export const MARK = '@@test ';
export const FILE_MARK = '@@file ';

export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const path: string[] = [];
  /** By nesting: how many tests and suites the one at hand has. */
  const children: number[] = [];
  /** By file, where no process of its own runs it: ms of its tests. */
  const times = new Map<string, number>();
  let hasProcesses = false;
  for await (const { type, data } of source) {
    if (type === 'test:complete' && data.file !== undefined && data.nesting === 0) {
      const { file } = data;
      const ms = data.details.duration_ms;
      if (isFile(data)) {
        hasProcesses = true;
        yield fileLine(file, ms);
      } else times.set(file, (times.get(file) ?? 0) + ms);
    }
    if (type === 'test:start') {
      path.length = data.nesting;
      path[data.nesting] = data.name;
      children[data.nesting] = 0;
      children[data.nesting - 1] = (children[data.nesting - 1] ?? 0) + 1;
    }
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const skip = data.skip ?? data.todo;
    const skipped = skip !== undefined && skip !== false;
    // A suite counts by its tests; one that is skipped, or fails by itself, has none to speak for it.
    const isSuite = data.details.type === 'suite';
    const isEmpty =
      type === 'test:pass' && !skipped && (isFile(data) || (isSuite && !children[data.nesting]));
    if (isSuite && !skipped && !isEmpty && (type === 'test:pass' || failsByItsTests(data)))
      continue;
    const reason = typeof skip === 'string' && skip !== '' ? skip : undefined;
    const passed = type === 'test:pass' && !isEmpty && (!skipped || reason !== undefined);
    const line: TestLine = {
      outcome: !passed ? 'failed' : skipped ? 'skipped' : 'passed',
      name: [...path.slice(0, data.nesting), data.name].join(' › '),
      file: data.file ?? '',
      ms: Math.round(data.details.duration_ms),
      ...(skipped ? { reason: reason ?? 'skipped without a reason' } : {}),
      ...(isEmpty ? { reason: 'has no test' } : {}),
      ...(type === 'test:fail' ? { reason: failure(data.details.error) } : {}),
    };
    yield `${MARK}${JSON.stringify(line)}\n`;
  }
  if (!hasProcesses) for (const [file, ms] of times) yield fileLine(file, ms);
}

function fileLine(file: string, ms: number): string {
  const line: FileLine = { file: relative('', file), ms: Math.round(ms) };
  return `${FILE_MARK}${JSON.stringify(line)}\n`;
}

/** The runner reports each file as if it were a test of that name. */
const isFile = ({ name, file }: { readonly name: string; readonly file?: string }): boolean =>
  file !== undefined && resolve(name) === file;

function failsByItsTests(data: { readonly details: { readonly error?: unknown } }): boolean {
  const { error } = data.details;
  return error instanceof Error && 'failureType' in error && error.failureType === 'subtestsFailed';
}

function failure(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
