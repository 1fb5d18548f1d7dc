/**
 * A reporter for `node --test` that writes one JSON line a test: what the runner counts, on this
 * machine and in the guests alike.
 */
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

export const MARK = '@@test ';

export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const path: string[] = [];
  for await (const { type, data } of source) {
    if (type === 'test:start') {
      path.length = data.nesting;
      path[data.nesting] = data.name;
    }
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const skip = data.skip ?? data.todo;
    const skipped = skip !== undefined && skip !== false;
    // A suite counts by its tests; one that is skipped, or fails by itself, has none to speak for it.
    const isSuite = data.details.type === 'suite';
    if (isSuite && !skipped && (type === 'test:pass' || failsByItsTests(data))) continue;
    const line: TestLine = {
      outcome: skipped ? 'skipped' : type === 'test:pass' ? 'passed' : 'failed',
      name: [...path.slice(0, data.nesting), data.name].join(' › '),
      file: data.file ?? '',
      ms: Math.round(data.details.duration_ms),
      ...(skipped ? { reason: typeof skip === 'string' ? skip : 'no reason given' } : {}),
      ...(type === 'test:fail' && !skipped ? { reason: failure(data.details.error) } : {}),
    };
    yield `${MARK}${JSON.stringify(line)}\n`;
  }
}

function failsByItsTests(data: { readonly details: { readonly error?: unknown } }): boolean {
  const { error } = data.details;
  return error instanceof Error && 'failureType' in error && error.failureType === 'subtestsFailed';
}

function failure(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
