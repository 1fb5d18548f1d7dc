/** A copy of the set-up in a folder with a space in its name, and processes that take its lock. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ROOT } from '../vm/initramfs.js';

export function setupCopy(t: TestContext): { readonly root: string; readonly setup: string } {
  const root = mkdtempSync(join(tmpdir(), 'mem-watcher set-up-'));
  t.after(() => rmSync(root, { recursive: true }));
  const setup = join(root, 'core/setup');
  cpSync(join(ROOT, 'core/setup'), setup, { recursive: true });
  return { root, setup };
}

export interface Locked {
  readonly child: ChildProcessWithoutNullStreams;
  /** It holds the lock. */
  readonly entered: Promise<unknown>;
  readonly closed: Promise<unknown>;
  /** Resolves when its stderr matches. */
  said(pattern: RegExp): Promise<void>;
}

/** A process that says `in` to `words` when it has the lock, and `out` after `ms`. */
export const locked = (
  setup: string,
  words: string[],
  ms: number,
  node = process.execPath,
): Locked =>
  holder(setup, words, node, `await new Promise((resolve) => setTimeout(resolve, ${ms}));`);

/** The same, but it runs a shell script between the two, as a step does. */
export const working = (setup: string, words: string[], script: string): Locked =>
  holder(
    setup,
    words,
    process.execPath,
    `const { run } = await import(process.argv[1] + '/progress.mjs');
    await run('working', 'sh', ['-c', ${JSON.stringify(script)}]);`,
  );

function holder(setup: string, words: string[], node: string, perform: string): Locked {
  const program = `
    const { exclusively } = await import(process.argv[1] + '/lock.mjs');
    await exclusively(async () => {
      console.log('in');
      ${perform}
      console.log('out');
    });
  `;
  const child = spawn(node, ['--input-type=module', '-e', program, setup]);
  let errors = '';
  child.stdout.on('data', (data) => words.push(...String(data).trim().split('\n')));
  child.stderr.on('data', (data) => {
    errors += data;
  });
  return {
    child,
    entered: once(child.stdout, 'data'),
    closed: once(child, 'close'),
    said: async (pattern) => {
      while (!pattern.test(errors)) await once(child.stderr, 'data');
    },
  };
}
