import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { path } from './paths.mjs';
import { interrupt, SetupError, say, shareDescriptor } from './progress.mjs';

const FILE = path('dist/.setup-lock');
/** Longer than an uncontended lock takes. */
const TELL_AFTER_MS = 500;

/** One set-up of this folder at a time. */
export async function exclusively(perform) {
  mkdirSync(dirname(FILE), { recursive: true });
  const release = await acquire(FILE);
  const interrupted = async (signal) => {
    process.removeAllListeners('SIGINT').removeAllListeners('SIGTERM');
    await interrupt(signal);
    process.kill(process.pid, signal);
  };
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    return await perform();
  } finally {
    release();
  }
}

/**
 * Waits for the lock; returns what releases it. flock(2) locks what a descriptor refers to, and the
 * programs that `run` starts inherit the descriptor: a set-up that is killed leaves the lock to the
 * program at work, and the kernel releases it when the last of them ends. The file stays; the number
 * in it only says whom others wait for.
 */
export async function acquire(file) {
  const descriptor = openSync(file, 'a');
  const child = spawn('flock', ['--exclusive', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', descriptor],
  });
  const timer = setTimeout(() => {
    const owner = `process ${ownerOf(file)}, or a program that it started`;
    say(`another set-up is at work here (${owner}): waiting for it to end`);
  }, TELL_AFTER_MS);
  try {
    await locked(child);
  } finally {
    clearTimeout(timer);
  }
  writeFileSync(file, `${process.pid}\n`);
  shareDescriptor(descriptor);
  return () => {
    shareDescriptor(undefined);
    closeSync(descriptor);
  };
}

/** Resolves when flock(1) has the lock; rejects if nobody can have it. */
function locked(child) {
  return new Promise((resolve, reject) => {
    const because = (why) =>
      reject(new SetupError(`cannot lock ${FILE}: ${why}`, 'install flock (util-linux)'));
    child.once('error', (error) => because(error.message));
    child.once('exit', (code, signal) =>
      code === 0 ? resolve() : because(`flock ended by ${signal ?? code}`),
    );
  });
}

function ownerOf(file) {
  try {
    return readFileSync(file, 'utf8').trim() || 'unknown';
  } catch {
    return 'unknown';
  }
}
