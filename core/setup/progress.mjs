/** What the set-up tells: which step, why, how long it took, and on failure what to do. */
import { spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { path, ROOT } from './paths.mjs';
import { quoted } from './quoted.mjs';
import { asRoot, userName } from './root.mjs';

const LOG_LINES = 15;
const QUIET_MS = 5000;
/** Where output is not a terminal. */
const PROGRESS_EVERY_MS = 10_000;
const CLEAR_LINE = '\x1b[K';
const OWNERSHIP = `${asRoot(`chown -R ${userName()} ${quoted(ROOT)}`)}, or work in a clone of your own`;

export class SetupError extends Error {
  /** `remedy`: what the reader should do about it. */
  constructor(message, remedy, evidence = '') {
    super(message);
    this.remedy = remedy;
    this.evidence = evidence;
  }
}

export function say(text) {
  process.stderr.write(`mem-watcher set-up: ${text}\n`);
}

export async function timed(title, why, perform) {
  say(`${title} (${why}) ...`);
  const began = Date.now();
  const stop = showElapsed(title, began);
  try {
    await perform();
  } finally {
    stop();
  }
  say(`${title}: done in ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

/** A step that takes longer shows that it is alive: one line that changes, or one every 10 s. */
function showElapsed(title, began) {
  const isTerminal = process.stderr.isTTY;
  const everyMs = isTerminal ? 1000 : PROGRESS_EVERY_MS;
  let isShown = false;
  const timer = setInterval(() => {
    const elapsed = Date.now() - began;
    if (elapsed < QUIET_MS) return;
    const text = `${title}: ${Math.round(elapsed / 1000)} s so far`;
    if (!isTerminal) return say(text);
    isShown = true;
    process.stderr.write(`\r${CLEAR_LINE}mem-watcher set-up: ${text}`);
  }, everyMs);
  return () => {
    clearInterval(timer);
    if (isShown) process.stderr.write(`\r${CLEAR_LINE}`);
  };
}

export function describeFailure(error) {
  if (['EACCES', 'EPERM', 'EROFS'].includes(error?.code) && error.path) {
    return `${userName()} may not write ${error.path} (${error.code})\n  what to do: ${OWNERSHIP}`;
  }
  if (!(error instanceof SetupError)) return `failed unexpectedly\n${error?.stack ?? error}`;
  const evidence = error.evidence ? `\n${error.evidence.replace(/^/gm, '  | ')}` : '';
  const remedy = error.remedy ? `\n  what to do: ${error.remedy}` : '';
  return `${error.message}${evidence}${remedy}`;
}

/** The programs at work, each with a promise of its end. */
const working = new Set();

/** Passes the signal to the programs at work and waits for them, so that they can clean up. */
export async function interrupt(signal) {
  await Promise.all(
    [...working].map(({ child, file, ended }) => {
      child.kill(signal);
      say(`${signal}: ending as soon as ${file} has ended`);
      return ended;
    }),
  );
}

/** What every program inherits as descriptor 3: the lock of this set-up. */
let shared = 'ignore';

export function shareDescriptor(descriptor) {
  shared = descriptor ?? 'ignore';
}

/**
 * Runs a program with its output in a log file (`dist/setup.log`, unless another runs beside it); throws
 * a SetupError with its last lines.
 */
export async function run(what, file, args, { log: name = 'setup.log', ...options } = {}) {
  const log = path('dist', name);
  const out = createWriteStream(log);
  const child = spawn(file, args, {
    ...options,
    env: { ...cleanEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', shared],
  });
  child.stdout.pipe(out, { end: false });
  child.stderr.pipe(out, { end: false });
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve({ error }));
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  const one = { child, file: [file, ...args.slice(0, 1)].join(' '), ended };
  working.add(one);
  const result = await ended;
  working.delete(one);
  await new Promise((resolve) => out.end(resolve));
  if (result.code === 0) return;
  if (result.error) {
    throw new SetupError(`${what}: ${file} cannot be run: ${result.error.message}`, undefined);
  }
  const text = readFileSync(log, 'utf8');
  const how = result.signal ? `was ended by ${result.signal}` : `failed with code ${result.code}`;
  throw new SetupError(
    `${what}: ${[file, ...args].join(' ')} ${how}`,
    remedyOf(text) ?? `read the whole output in ${log}`,
    text.trim().split('\n').slice(-LOG_LINES).join('\n'),
  );
}

const REMEDIES = [
  [/No space left on device|ENOSPC/, 'the disk is full: free about 2 GiB and try again'],
  [
    /EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|Temporary failure resolving|Could not (connect|resolve)|Network is unreachable/,
    'the network, or a proxy on the way, is not reachable: check it and try again',
  ],
  [
    /Unable to locate package/,
    'the package lists do not know it: run apt-get update, check the sources',
  ],
  [
    /Could not get lock|is another process using it/,
    'another package manager is at work: wait for it',
  ],
  [/dpkg was interrupted/, asRoot('dpkg --configure -a')],
  [/cache folder contains root-owned files/, 'do what npm says above'],
  [/EACCES|Permission denied|EROFS/, OWNERSHIP],
  [/certificate/i, 'a certificate was refused: check the clock and NODE_EXTRA_CA_CERTS'],
];

export const remedyOf = (text) => REMEDIES.find(([pattern]) => pattern.test(text))?.[1];

/**
 * npm puts node_modules/.bin first: what installs node_modules must not use the Node that it is
 * about to replace.
 */
export function cleanEnvironment() {
  const path = (process.env.PATH ?? '').split(':').filter((part) => !part.includes('node_modules'));
  return { ...process.env, PATH: path.join(':') };
}
