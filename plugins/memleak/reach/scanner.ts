/**
 * Which of a process's blocks are reachable, asked from outside while it runs. The memory is read by a
 * child that has no right but to read it (`scan-child.ts`); what it is told, and what it says, are addresses.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describeError } from '../../../core/errors.js';
import type { Closable } from '../../../core/scope.js';
import { libc } from '../../../core/symbolize/libc.js';
import type { ProcessId } from '../model.js';
import { liveProc, NS_PER_TICK, readStat } from '../targets/proc.js';
import type { HeldBlocks } from '../user/held-blocks.js';
import { decodeOutcome, encodeOrder, type Outcome } from './scan-wire.js';

export interface Scan extends Outcome {
  /** By block: 1 if it is reached. */
  readonly reached: Uint8Array;
  /** From its start to its end, ms. */
  readonly wallMs: number;
}

interface Running {
  readonly child: ChildProcess;
  readonly socket: number;
  /** Scans that it has done. */
  scans: number;
}

/** Does one scan at a time. Its child is started for the first and ended when it has been idle. */
export class Scanner implements Closable {
  #running: Running | undefined;
  #isClosed = false;
  #idle: NodeJS.Timeout | undefined;

  /**
   * Rejects with why it cannot be told. `roots`: addresses that are held outside of its memory. `timeoutMs`: of a
   * process that stands still for it, which is looked at once.
   */
  async scan(
    process: ProcessId,
    { starts, sizes }: Pick<HeldBlocks, 'starts' | 'sizes'>,
    roots: readonly number[],
    timeoutMs?: number,
  ): Promise<Scan> {
    const began = performance.now();
    const order = encodeOrder(
      { roots, mostSwapped: MOST_SWAPPED, passes: timeoutMs === undefined ? PASSES : 0 },
      starts,
      sizes,
    );
    const files = openFiles(process);
    let answer: Buffer;
    try {
      answer = await this.#ask(files, order, timeoutMs ?? TIMEOUT_MS);
    } finally {
      for (const fd of files) closeSync(fd);
    }
    const { outcome, reached } = decodeOutcome(answer, starts.length);
    return { ...outcome, reached, wallMs: performance.now() - began };
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  #drop(): void {
    clearTimeout(this.#idle);
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    closeSync(running.socket);
    running.child.kill('SIGKILL');
  }

  /** Starts its child, so that a scan that must not wait does not. */
  async prepare(): Promise<void> {
    await this.#start();
  }

  async #ask(files: readonly number[], order: Buffer, timeoutMs: number): Promise<Buffer> {
    clearTimeout(this.#idle);
    const running = await this.#start();
    running.scans++;
    const answer = answerOf(running.child, timeoutMs);
    if (!files.every((fd) => libc().sendFile(running.socket, fd))) {
      this.#drop();
      throw new Error('the scanner takes no files');
    }
    running.child.stdin?.write(order);
    try {
      return await answer;
    } catch (error) {
      this.#drop();
      throw error;
    } finally {
      if (running.scans >= SCANS_EACH) this.#drop();
      this.#idle = setTimeout(() => this.#drop(), IDLE_MS).unref();
    }
  }

  async #start(): Promise<Running> {
    if (this.#running) return this.#running;
    if (this.#isClosed) throw new Error('the scanner is closed');
    const [ours, theirs] = libc().socketPair();
    const args = [...NODE_OPTIONS, CHILD, String(MEMORY), String(CPU_SECONDS)];
    try {
      const stdio = ['pipe', 'pipe', 'pipe', theirs] as const;
      const child = spawn(process.execPath, args, { stdio: [...stdio], env: {}, cwd: '/' });
      // It says why it ended; a pipe that breaks says nothing more.
      child.stdin?.on('error', () => undefined);
      this.#running = { child, socket: ours, scans: 0 };
    } catch (error) {
      closeSync(ours);
      throw error;
    } finally {
      closeSync(theirs);
    }
    const running = this.#running;
    try {
      await answerOf(running.child, TIMEOUT_MS);
      return running;
    } catch (error) {
      this.#drop();
      throw error;
    }
  }
}

function openFiles({ pid, startTime }: ProcessId): number[] {
  const files: number[] = [];
  try {
    for (const name of ['mem', 'maps', 'pagemap'])
      files.push(openSync(`/proc/${pid}/${name}`, 'r'));
    const stat = readStat(liveProc, pid);
    if (!stat || stat.startTicks * NS_PER_TICK !== startTime) throw new Error('it has ended');
    return files;
  } catch (error) {
    for (const fd of files) closeSync(fd);
    throw new Error(`its memory cannot be read: ${describeError(error)}`);
  }
}

/** The next that the child says, without its length. */
function answerOf(child: ChildProcess, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let [length, wanted, words] = [0, 4, ''];
    const take = (part: Buffer) => {
      parts.push(part);
      length += part.length;
      if (length < wanted) return;
      const whole = Buffer.concat(parts.splice(0));
      wanted = 4 + whole.readUInt32LE(0);
      if (length >= wanted) done(() => resolve(whole.subarray(4)));
      else parts.push(whole);
    };
    const hear = (part: Buffer) => {
      words = (words + part.toString('utf8')).slice(0, MAX_WORDS);
    };
    const fail = (error: Error) => done(() => reject(error));
    const close = (code: number | null, signal: string | null) =>
      fail(
        new Error(/^Error: (.*)$/m.exec(words)?.[1] ?? `the scanner ended with ${signal ?? code}`),
      );
    const timer = setTimeout(
      () => fail(new Error(`the scan took longer than ${timeoutMs / 1000} s`)),
      timeoutMs,
    );
    const done = (end: () => void) => {
      clearTimeout(timer);
      child.stdout?.off('data', take);
      child.stderr?.off('data', hear);
      child.off('error', fail).off('close', close);
      end();
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', hear);
    child.on('error', fail).on('close', close);
  });
}

const CHILD = fileURLToPath(new URL('./scan-child.js', import.meta.url));
const NODE_OPTIONS = ['--max-old-space-size=128', '--max-semi-space-size=1', '--no-warnings'];
/** Bytes beyond what it begins with: some 40 a block, and its tables. */
const MEMORY = 1 << 29;
const CPU_SECONDS = 3600;
/** Then another child is started, with nothing of what this one has read. */
const SCANS_EACH = 100;
const IDLE_MS = 60_000;
const TIMEOUT_MS = 30_000;
/** Bytes. To read them is to bring them back. */
const MOST_SWAPPED = 16 * 2 ** 20;
/** Short looks after the first at a process that runs on. */
const PASSES = 12;
const MAX_WORDS = 4096;
