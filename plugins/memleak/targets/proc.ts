/**
 * What /proc says of processes. Each of them may be gone at any moment, or be hidden: then the
 * answer is undefined. Names hold whatever the process chose, newlines and brackets included.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Where from; tests have their own. */
export interface Proc {
  /** Ids of all processes. */
  pids(): number[];
  /** The text of /proc/PID/`file`; throws. */
  text(pid: number, file: string): string;
  /** Where /proc/PID/`link` points; throws. */
  link(pid: number, link: string): string;
}

export const liveProc: Proc = {
  pids() {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0);
  },
  text: (pid, file) => readFileSync(`/proc/${pid}/${file}`, 'utf8'),
  link: (pid, link) => readlinkSync(`/proc/${pid}/${link}`),
};

/** /proc/PID/stat. */
export interface ProcessStat {
  readonly pid: number;
  readonly comm: string;
  readonly ppid: number;
  /** Exited, and waited for. */
  readonly zombie: boolean;
  readonly kernelThread: boolean;
  /** Since boot, in ticks of 10 ms (CLOCK_BOOTTIME). */
  readonly startTicks: number;
  /** User and system time of all threads, ticks of 10 ms. */
  readonly cpuTicks: number;
  /** Where code and stack begin: other ones after the process has executed a program. */
  readonly layout: string;
}

/** USER_HZ: the same on every kernel, whatever its own tick. */
export const TICKS_PER_SECOND = 100;
export const NS_PER_TICK = 1e9 / TICKS_PER_SECOND;
const PF_KTHREAD = 0x0020_0000;

export function readStat(proc: Proc, pid: number): ProcessStat | undefined {
  return attempt(() => parseStat(proc.text(pid, 'stat')));
}

/** undefined if it is no such line. */
export function parseStat(text: string): ProcessStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  // From the third field on, as proc(5) counts them.
  const fields = text.slice(close + 2).split(' ');
  const field = (n: number) => Number(fields[n - 3]);
  const startTicks = field(22);
  const pid = Number(text.slice(0, open));
  if (!Number.isInteger(startTicks) || !Number.isInteger(pid)) return undefined;
  return {
    pid,
    comm: text.slice(open + 1, close),
    ppid: field(4),
    zombie: fields[0] === 'Z' || fields[0] === 'X',
    kernelThread: (field(9) & PF_KTHREAD) !== 0,
    startTicks,
    cpuTicks: field(14) + field(15),
    layout: `${fields[26 - 3]} ${fields[28 - 3]}`,
  };
}

/** Paths in every hierarchy of /proc/PID/cgroup; none if it is gone. */
export function readCgroups(proc: Proc, pid: number): readonly string[] {
  return parseCgroups(attempt(() => proc.text(pid, 'cgroup')) ?? '');
}

export function parseCgroups(text: string): readonly string[] {
  const paths = text.split('\n').flatMap((line) => {
    const path = /^\d+:[^:]*:(\/.*)$/.exec(line)?.[1];
    return path === undefined ? [] : [path.replace(/ \(deleted\)$/, '')];
  });
  return [...new Set(paths)];
}

/** The file that it runs, by its path from our root; undefined if gone, hidden, or of the kernel. */
export function readExecutable(proc: Proc, pid: number): string | undefined {
  return attempt(() => proc.link(pid, 'exe').replace(/ \(deleted\)$/, ''));
}

/** Id of the process that a thread belongs to: its own, of the first; undefined if it is gone. */
export function readProcessOf(proc: Proc, tid: number): number | undefined {
  const id = attempt(() => /^Tgid:\s+(\d+)$/m.exec(proc.text(tid, 'status'))?.[1]);
  return id === undefined ? undefined : Number(id);
}

/** Figures of /proc/PID/status that tell whether its memory or its code changes, bytes. */
export interface MemoryStatus {
  readonly rssAnon: number;
  /** Private writable mappings: the heap, and what malloc maps. */
  readonly data: number;
  /** Executable mappings but the program's own text: moves with dlopen. */
  readonly libraries: number;
}

export function readMemory(proc: Proc, pid: number): MemoryStatus | undefined {
  return attempt(() => parseMemory(proc.text(pid, 'status')));
}

/** undefined if it has no memory: a zombie, or a thread of the kernel. */
export function parseMemory(text: string): MemoryStatus | undefined {
  // The first line is a name, which may hold a newline only as \n, so fields are at line starts.
  const value = (key: string) => {
    const at = text.indexOf(`\n${key}:`);
    return at < 0 ? undefined : Number.parseInt(text.slice(at + key.length + 2, at + 40), 10);
  };
  const [rssAnon, data, libraries] = ['RssAnon', 'VmData', 'VmLib'].map(value);
  if (rssAnon === undefined) return undefined;
  return {
    rssAnon: rssAnon * 1024,
    data: (data ?? 0) * 1024,
    libraries: (libraries ?? 0) * 1024,
  };
}

/** Whether returns are held against a second stack that only calls can write (x86, since 6.6). */
export function hasShadowStack(proc: Proc, pid: number): boolean {
  const text = attempt(() => proc.text(pid, 'status')) ?? '';
  return /^x86_Thread_features:.*\bshstk\b/m.test(text);
}

export function attempt<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // gone, or hidden
  }
}
