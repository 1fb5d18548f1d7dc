/** What the set-up tells: which step, why, how long it took, and on failure what to do. */
import { spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { path, ROOT } from './paths.mjs';
import { asRoot, userName } from './root.mjs';

const LOG_LINES = 15;
const OWNERSHIP = `${asRoot(`chown -R ${userName()} ${ROOT}`)}, or work in a clone of your own`;

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
  await perform();
  say(`${title}: done in ${((Date.now() - began) / 1000).toFixed(1)} s`);
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

/** The program that is at work, and what comes when it has ended. */
let current;

/** Half an installation is left by nobody: what is at work may end in its own way. */
export async function interrupt(signal) {
  if (!current) return;
  current.child.kill(signal);
  say(`${signal}: ending as soon as ${current.file} has ended`);
  await current.ended;
}

/** Runs a program with its output in a log file; throws a SetupError with its last lines. */
export async function run(what, file, args, options = {}) {
  const log = path('dist/setup.log');
  const out = createWriteStream(log);
  const child = spawn(file, args, {
    ...options,
    env: { ...cleanEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.pipe(out, { end: false });
  child.stderr.pipe(out, { end: false });
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve({ error }));
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  current = { child, file: [file, ...args.slice(0, 1)].join(' '), ended };
  const result = await ended;
  current = undefined;
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
