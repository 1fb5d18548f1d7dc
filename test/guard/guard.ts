/**
 * Loaded into every process of tests before its file (`--import`): a test that passes must have made
 * an assertion itself or in a subtest, and one that skips must say why. So a loop over nothing, an
 * `if` that is never true or an empty body fails, where `node:test` would count it as passed. A suite
 * or file without a test fails too: the reporter (`test/reporter.ts`) sees to that.
 *
 * It replaces `node:assert/strict` in our own modules, and counts the calls of every test. A test
 * that runs beside others has a count of its own.
 */
import { registerHooks } from 'node:module';
import { afterEach, beforeEach, type TestContext } from 'node:test';
import { beginTest, endTest } from './counted-assert.js';

const COUNTED = new URL('./counted-assert.js', import.meta.url).href;

/** The runner loads it as well, but runs no tests unless it has no other process do so. */
const runsTests =
  process.env.NODE_TEST_CONTEXT?.startsWith('child') ||
  process.execArgv.includes('--test-isolation=none');
if (runsTests) {
  countAssertions();
  checkEveryTest();
}

function countAssertions(): void {
  registerHooks({
    resolve(specifier, context, next) {
      const { parentURL = '' } = context;
      const isOurs = !parentURL.includes('/node_modules/') && parentURL !== COUNTED;
      if (specifier !== 'node:assert/strict' || !isOurs) return next(specifier, context);
      return { url: COUNTED, shortCircuit: true };
    },
  });
}

function checkEveryTest(): void {
  const skipped = new Set<unknown>();
  beforeEach((context) => {
    beginTest(context);
    if ('skip' in context) watchSkip(context, skipped);
  });
  afterEach((context) => {
    const made = endTest(context);
    if (made === 0 && context.passed && !skipped.delete(context)) {
      throw new Error(`“${context.name}” passed without an assertion`);
    }
  });
}

function watchSkip(context: TestContext, skipped: Set<unknown>): void {
  const skip = context.skip.bind(context);
  context.skip = (reason) => {
    if (!reason) throw new Error(`“${context.name}” is skipped without a reason`);
    skipped.add(context);
    skip(reason);
  };
}
