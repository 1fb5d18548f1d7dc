import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { path } from './paths.mjs';
import { say } from './progress.mjs';

const POLL_MS = 300;
const FILE = path('dist/.setup-lock');

/** One set-up of this folder at a time; a lock whose owner is gone is taken over. */
export async function exclusively(perform) {
  mkdirSync(dirname(FILE), { recursive: true });
  let told = false;
  while (!acquire()) {
    const owner = ownerOf(FILE);
    if (owner === undefined || !isAlive(owner)) {
      rmSync(FILE, { force: true });
      continue;
    }
    if (!told) say(`another set-up is at work here (process ${owner}), waiting for it`);
    told = true;
    await sleep(POLL_MS);
  }
  const release = () => rmSync(FILE, { force: true });
  process.once('exit', release);
  const interrupted = (signal) => {
    release();
    process.removeAllListeners(signal);
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

function acquire() {
  try {
    writeFileSync(FILE, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function ownerOf(file) {
  try {
    return Number(readFileSync(file, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
