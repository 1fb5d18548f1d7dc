/**
 * Pointers that the kernel holds for a process and gives back later: what epoll was told to say of a
 * descriptor (/proc/PID/fdinfo, fs/eventpoll.c), what waits in queues of io_uring, and timers of a signal
 * (/proc/PID/timers).
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { describeError, errnoCode } from '../../../core/errors.js';
import { ADDRESS_BITS } from './blocks.js';

export interface KernelRoots {
  readonly addresses: readonly number[];
  /** What else the kernel may hold and does not tell, a phrase each. */
  readonly untold: readonly string[];
}

/** In steps: a process may have a hundred thousand descriptors. */
export async function kernelRootsOf(pid: number, proc = '/proc'): Promise<KernelRoots> {
  const addresses = new Set<number>();
  const untold = new Set<string>();
  const take = async (file: string, pattern: RegExp, what: string, mayGo = false) => {
    try {
      for (const word of wordsOf(await readFile(file, 'latin1'), pattern)) addresses.add(word);
    } catch (error) {
      if (mayGo && errnoCode(error) === 'ENOENT') return;
      untold.add(`${what} (${describeError(error)})`);
    }
  };
  let polls = 0;
  for (const [n, fd] of readdirSync(`${proc}/${pid}/fd`).entries()) {
    if (n % STEP === STEP - 1) await new Promise((resolve) => setImmediate(resolve));
    const kind = linkOf(`${proc}/${pid}/fd/${fd}`);
    if (kind === 'anon_inode:[eventpoll]' && polls++ < MOST_POLLS) {
      await take(`${proc}/${pid}/fdinfo/${fd}`, EPOLL_DATA, `what epoll was told of ${fd}`, true);
    }
    if (kind === 'anon_inode:[io_uring]') {
      const text = await infoOf(`${proc}/${pid}/fdinfo/${fd}`);
      for (const word of ringRootsOf(text)) addresses.add(word);
      if (!isIdleRing(text)) untold.add('requests of io_uring that are on their way');
    }
  }
  if (polls > MOST_POLLS) untold.add(`what epoll was told: it has ${polls} descriptors of it`);
  await take(`${proc}/${pid}/timers`, TIMER_VALUE, 'timers');
  if (/ \/\[aio\]/.test(await readFile(`${proc}/${pid}/maps`, 'latin1'))) {
    untold.add('requests of io_submit that are on their way');
  }
  return { addresses: [...addresses], untold: [...untold] };
}

/** Empty of what was closed meanwhile. */
const infoOf = (file: string): Promise<string> =>
  readFile(file, 'latin1').catch((error: unknown) => {
    if (errnoCode(error) === 'ENOENT') return IDLE;
    throw error;
  });

const IDLE = 'CachedSqHead:\t0\nCachedCqTail:\t0\n';

/**
 * Whether a ring has nothing under way: as many requests were taken from it as were answered (io_uring/fdinfo.c,
 * kernels from 5.14 on). One that is answered more than once, or only if it fails, makes both differ: then it is
 * not known.
 */
export function isIdleRing(fdinfo: string): boolean {
  const figure = (name: string) => new RegExp(`^${name}:\\s*(\\d+)$`, 'm').exec(fdinfo)?.[1];
  const taken = figure('CachedSqHead');
  const isWaiting = /^(PollList|CqOverflowList):\n\s+\S/m.test(fdinfo);
  return taken !== undefined && taken === figure('CachedCqTail') && !isWaiting;
}

/** What is still, or already, in its queues; decimal. */
const ringRootsOf = (fdinfo: string): number[] =>
  [...fdinfo.matchAll(/\buser_data:(\d{1,20})/g)].map(([, word = '0']) =>
    Number(BigInt.asUintN(ADDRESS_BITS, BigInt(word))),
  );

const STEP = 256;
const MOST_POLLS = 256;
const EPOLL_DATA = /^tfd:.* data:\s*([0-9a-f]+)/gm;
const TIMER_VALUE = /^signal: \d+\/(?:0x)?([0-9a-f]+)$/gm;

/** The lower bits of an address: what is above may be a tag. */
const wordsOf = (text: string, pattern: RegExp): number[] =>
  [...text.matchAll(pattern)].map(([, word = '']) =>
    Number.parseInt(word.slice(-ADDRESS_BITS / 4), 16),
  );

/** It may have been closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
