import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { path } from './paths.mjs';
import { interrupt, say } from './progress.mjs';

const POLL_MS = 300;
const FILE = path('dist/.setup-lock');

/** One set-up of this folder at a time; a lock whose owner is gone is taken over. */
export async function exclusively(perform) {
  mkdirSync(dirname(FILE), { recursive: true });
  let told = false;
  while (!acquire(FILE)) {
    const owner = ownerOf(FILE);
    if (owner === undefined) {
      rmSync(FILE, { force: true });
      continue;
    }
    if (!told) say(`another set-up is at work here (process ${owner}), waiting for it`);
    told = true;
    await sleep(POLL_MS);
  }
  const release = () => rmSync(FILE, { force: true });
  process.once('exit', release);
  const interrupted = async (signal) => {
    // The next one does not wait.
    process.removeAllListeners('SIGINT').removeAllListeners('SIGTERM');
    await interrupt(signal);
    release();
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

/** Whole or not at all: another set-up never sees a lock without its owner. */
export function acquire(file) {
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, `${process.pid} ${startOf(process.pid)}`);
  try {
    linkSync(mine, file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(mine, { force: true });
  }
}

/** The process that holds the lock; undefined when it is gone, also if its number is used again. */
export function ownerOf(file) {
  try {
    const [pid, start] = readFileSync(file, 'utf8').split(' ');
    return startOf(pid) === start ? pid : undefined;
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined;
    throw error;
  }
}

/** When a process started, in ticks since boot: field 22 of stat, the 20th after its name. */
function startOf(pid) {
  return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1).split(' ')[19];
}
