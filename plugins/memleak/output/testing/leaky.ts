/** A program that leaks as it is told, and `mem-watcher leaks` on it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Reading } from './reading.js';

const SOURCE = join(import.meta.dirname, '../../../../../plugins/memleak/output/testing/leaky.c');
const EVERY_MS = 100;

export const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-faults-'));
after(() => rmSync(dir, { recursive: true }));

export const compiled = (name: string, ...flags: readonly string[]) => {
  const path = join(dir, name);
  const made = spawnSync('gcc', [
    '-g',
    '-O1',
    '-fno-omit-frame-pointer',
    '-o',
    path,
    SOURCE,
    ...flags,
  ]);
  return made.status === 0 ? path : undefined;
};
export const program = compiled('leaky') ?? '';
export const skip =
  process.getuid?.() !== 0
    ? 'root is needed to probe the functions of others'
    : program === '' && 'no C compiler: apt-get install gcc';

/** Lets `target` do `work` until `leaks` has printed `pattern`, and ends it. */
export async function watched(
  t: TestContext,
  target: Reading,
  pattern: RegExp,
  {
    work = 'leak 1',
    args = ['--format', 'json'],
  }: { work?: string; args?: readonly string[] } = {},
): Promise<Reading> {
  const cli = Reading.cli(
    t,
    ...['leaks', '--pid', String(target.pid), '--window', '500ms'],
    ...['--live', '--interval', '200ms', ...args],
  );
  await cli.reaches(`${pattern}`, () => pattern.test(cli.text), working(target, work));
  cli.child.kill('SIGINT');
  assert.equal(await cli.closed, 0, cli.errors);
  assert.match(cli.text, pattern, cli.errors);
  return cli;
}

/** One step of work, with a pause in which it may be seen. */
export const working = (target: Reading, work: string) => async (): Promise<void> => {
  await told(target, work);
  await setTimeout(EVERY_MS);
};

/** Once it is done. */
export async function told(target: Reading, work: string): Promise<void> {
  const done = target.text.split('done').length;
  target.say(work);
  await target.until(new RegExp(`(done\\s+){${done}}`));
}

export async function started(t: TestContext, command = program, args: readonly string[] = []) {
  const target = Reading.of(t, command, args);
  await target.until(/ready/);
  return target;
}

export interface StackLine {
  readonly stack_id?: string;
  readonly bytes: number;
  readonly allocations: number;
  readonly frames: readonly {
    readonly address: string;
    readonly function?: string;
    readonly module?: string;
    readonly build_id?: string;
  }[];
}

/** Every line that was printed is JSON; those of stacks. */
export const stacksOf = ({ text }: Reading): StackLine[] =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as StackLine)
    .filter(({ stack_id, frames }) => stack_id !== undefined && frames !== undefined);
