/**
 * `node:assert/strict` that counts its calls by test, in place of the real one: see `guard.ts`.
 */
import assert, { AssertionError } from 'node:assert/strict';
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import type { SuiteContext, TestContext } from 'node:test';

type Context = TestContext | SuiteContext;
type Assertion = (this: unknown, ...args: unknown[]) => unknown;

/** Calls by each test that is running, its subtests' included. */
const running = new Map<Context, number>();

/** Whose code runs. (`getTestContext` takes a test that goes on after a pause for the one around it.) */
const current = new AsyncLocalStorage<unknown>();

/** The runner calls the body of a test so, with its context as `this`. */
const runInAsyncScope = AsyncResource.prototype.runInAsyncScope;
AsyncResource.prototype.runInAsyncScope = function (body, self, ...args) {
  const run = (...given: unknown[]) => current.run(self, () => Reflect.apply(body, self, given));
  return Reflect.apply(runInAsyncScope, this, [isRunning(self) ? run : body, self, ...args]);
};

const isRunning = (context: unknown): context is Context => running.has(context as Context);

export function beginTest(context: Context): void {
  running.set(context, 0);
}

/** The assertions that the test has made. */
export function endTest(context: Context): number {
  const made = running.get(context) ?? 0;
  running.delete(context);
  return made;
}

/** A call that belongs to no running test, such as in a server of the whole file, counts for all. */
function count(): void {
  const one = current.getStore();
  for (const [test, made] of running) {
    if (!isRunning(one) || isWithin(one, test)) running.set(test, made + 1);
  }
}

const isWithin = (inner: Context, outer: Context): boolean =>
  inner === outer || inner.fullName.startsWith(`${outer.fullName} > `);

/** Counts calls, and keeps itself out of the stack of a failure. */
function counting<T extends object>(real: T, isTruth: boolean): T {
  return new Proxy(real, {
    apply: function called(method, self, args: unknown[]) {
      count();
      if (isTruth) return assertTruth(args, called);
      try {
        return Reflect.apply(method as Assertion, self, args);
      } catch (error) {
        if (error instanceof AssertionError) Error.captureStackTrace(error, called);
        throw error;
      }
    },
  });
}

/** The real one quotes its caller's line, which would be ours. */
function assertTruth(args: unknown[], stackStartFn: (...args: never[]) => unknown): void {
  const [actual, message = 'the value is falsy'] = args;
  if (actual) return;
  if (message instanceof Error) throw message;
  throw new AssertionError({
    message: String(message),
    actual,
    expected: true,
    operator: '==',
    stackStartFn,
  });
}

const methods = new Map(
  Object.entries(assert).map(([name, real]): [PropertyKey, unknown] => [
    name,
    typeof real === 'function' ? counting(real, name === 'ok') : real,
  ]),
);

export default new Proxy(counting(assert, true), {
  get: (real, name) => methods.get(name) ?? Reflect.get(real, name),
});
