/**
 * A process that is held still, by ptrace (PTRACE_SEIZE, which sends it no signal). It goes on when it is
 * closed, and when we end, however that happens: the kernel detaches who has no tracer any more.
 */
import { readdirSync } from 'node:fs';
import type { Closable } from '../../../core/scope.js';
import { type LibC, libc } from '../../../core/symbolize/libc.js';

export interface Paused extends Closable {
  /** The registers of all its threads. */
  readonly words: readonly bigint[];
  readonly threads: number;
  close(): void;
}

/** By thread the signal that it was on its way to; undefined of one that was not seen to stop. */
type Seized = Map<number, number | undefined>;

/** Throws if another traces it, or if not all its threads stop within `limitMs`; then it runs on. */
export function pauseProcess(pid: number, limitMs = STOP_MS): Paused {
  const c = libc();
  const seized: Seized = new Map();
  const until = performance.now() + limitMs;
  try {
    // Who is not stopped yet may start another.
    for (let fresh = threadsOf(pid); fresh.length > 0; ) {
      for (const tid of fresh) stopThread(c, tid, seized, until);
      fresh = threadsOf(pid).filter((tid) => !seized.has(tid));
    }
    if (seized.size === 0) throw new Error('it has ended');
    const words = [...seized.keys()].flatMap((tid) => c.registersOf(tid));
    return { words, threads: seized.size, close: () => letGo(c, seized) };
  } catch (error) {
    letGo(c, seized);
    throw error;
  }
}

function stopThread(c: LibC, tid: number, seized: Seized, until: number): void {
  const errno = c.trace(PTRACE_SEIZE, tid);
  if (errno !== 0 && errno !== ESRCH) {
    throw new Error(`it cannot be paused (ptrace: errno ${errno}): is it traced by another?`);
  }
  if (errno === 0) {
    seized.set(tid, undefined);
    c.trace(PTRACE_INTERRUPT, tid);
  }
  while (seized.has(tid) && !hasStopped(c, tid, seized)) {
    if (performance.now() > until) break;
    Atomics.wait(SLEEP, 0, 0, 0.2);
  }
  if (performance.now() > until) throw new Error('its threads do not stop in time');
}

/** Whether it stands still, or is gone. */
function hasStopped(c: LibC, tid: number, seized: Seized): boolean {
  const status = c.statusOf(tid);
  if (status === undefined) return false;
  if ((status & 0xff) !== STOPPED) seized.delete(tid);
  // On its way to a signal, which it must still get.
  else seized.set(tid, status >> 16 === PTRACE_EVENT_STOP ? 0 : (status >> 8) & 0xff);
  return true;
}

/** Only a thread that has stopped can be detached: who is yet to stop is waited for. */
function letGo(c: LibC, seized: Seized): void {
  for (const [tid, signal] of seized) {
    if (signal === undefined && !hasStopped(c, tid, seized)) continue;
    c.trace(PTRACE_DETACH, tid, 0n, BigInt(seized.get(tid) ?? 0));
    seized.delete(tid);
  }
  // Not unref: it must not stand still for as long as something else keeps us alive.
  if (seized.size > 0) setTimeout(() => letGo(c, seized), LET_GO_EVERY_MS);
}

function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [];
  }
}

const SLEEP = new Int32Array(new SharedArrayBuffer(4));
/** One that is deep in the kernel stops when it comes out. */
const STOP_MS = 200;
const LET_GO_EVERY_MS = 10;
const ESRCH = 3;
const STOPPED = 0x7f;
const PTRACE_DETACH = 17;
const PTRACE_SEIZE = 0x4206;
const PTRACE_INTERRUPT = 0x4207;
const PTRACE_EVENT_STOP = 128;
