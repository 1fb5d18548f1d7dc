/**
 * How the child gives up everything before it reads a byte of a file that is not ours.
 *
 * User and group change for all threads of a process, and take the capabilities of each with them;
 * capabilities alone and PR_SET_NO_NEW_PRIVS change for one thread only, and Node has several. So
 * who may become nobody does; who may not, and yet has capabilities (Node's file was given them),
 * gives up its own and starts itself again, which leaves one thread without any. The filter of
 * system calls is laid on all threads, and PR_SET_NO_NEW_PRIVS with it. What came of it is read from
 * the kernel, for every thread, and all must be well.
 */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { type LibC, libc } from './libc.js';
import { seccompFilter } from './seccomp.js';

export interface Limits {
  /** Of memory beyond what the child has when it begins, bytes. Files count as they are mapped. */
  readonly memory: number;
  /** Of processor time in all, seconds. */
  readonly cpuSeconds: number;
  readonly files: number;
}

/** True if capabilities must be given up by starting again; then `startAgain` is what to call. */
export function mustStartAgain(): boolean {
  const statuses = readAll(openStatuses());
  const mayChange = statuses.every((status) => has(status, CAP_SETUID) && has(status, CAP_SETGID));
  return !mayChange && statuses.some((status) => capabilities(status, 'CapPrm') !== 0n);
}

/** Returns only if it failed. */
export function startAgain(program: string, args: readonly string[]): void {
  const c = libc();
  dropCapabilities(c);
  c.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  // Node marks them all to be closed.
  for (let fd = 0; fd <= SOCKET; fd++) c.control(fd, F_SETFD, 0);
  const words = [program, ...args].map((word) => Buffer.from(`${word}\0`));
  const argv = BigUint64Array.from([...words.map((word) => c.addressOf(word)), 0n]);
  c.execute(program, argv, new BigUint64Array(1));
}

/**
 * Returns what the kernel says of the process afterwards; throws if rights are left. From then on
 * there is no event loop: it would ask for system calls that are gone.
 */
export function giveUpEverything(limits: Limits): string {
  const c = libc();
  const filter = seccompFilter();
  if (filter === undefined) throw new Error(`no list of system calls for ${process.arch}`);
  closeForeign();
  process.chdir('/');
  setLimits(c, limits);
  // While they can still be opened; what they say is read afterwards.
  const statuses = openStatuses();
  for (let capability = 0; capability <= LAST_CAPABILITY; capability++) {
    c.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  if (has(readAll(statuses)[0] ?? '', CAP_SETUID)) becomeNobody(c);
  dropCapabilities(c);
  c.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  c.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  c.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  const threads = c.seccomp(SECCOMP_FILTER_FLAG_TSYNC, filter);
  if (threads !== 0) throw new Error(`seccomp: ${threads}, errno ${c.errno()}`);
  const all = readAll(statuses);
  for (const fd of statuses) closeSync(fd);
  for (const status of all) assertHarmless(status, all.length);
  return all[0] ?? '';
}

function assertHarmless(status: string, threads: number): void {
  const wrong = [
    ...['CapInh', 'CapPrm', 'CapEff', 'CapAmb'].filter((set) => capabilities(status, set) !== 0n),
    ...(field(status, 'NoNewPrivs') === '1' ? [] : ['NoNewPrivs']),
    ...(field(status, 'Seccomp') === '2' ? [] : ['Seccomp']),
    ...(field(status, 'Threads') === String(threads) ? [] : ['Threads']),
  ];
  if (wrong.length > 0) throw new Error(`rights are left: ${wrong.join(', ')}`);
}

function becomeNobody(c: LibC): void {
  const failed =
    c.setGroups(0, null) !== 0 ||
    c.setGroup(NOBODY, NOBODY, NOBODY) !== 0 ||
    c.setUser(NOBODY, NOBODY, NOBODY) !== 0;
  if (failed) throw new Error(`cannot become nobody: errno ${c.errno()}`);
}

function dropCapabilities(c: LibC): void {
  c.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  const header = Buffer.alloc(8);
  header.writeUInt32LE(CAPABILITY_VERSION_3, 0);
  c.setCapabilities(header, Buffer.alloc(24));
}

function setLimits(c: LibC, { memory, cpuSeconds, files }: Limits): void {
  const size = Number(
    /^VmSize:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1],
  );
  const limits: readonly [resource: number, most: number][] = [
    [RLIMIT_CORE, 0],
    [RLIMIT_FSIZE, 0],
    [RLIMIT_NPROC, 0],
    [RLIMIT_CPU, cpuSeconds],
    [RLIMIT_NOFILE, files],
    [RLIMIT_AS, size * 1024 + memory],
  ];
  for (const [resource, most] of limits) {
    if (c.setLimit(resource, BigUint64Array.of(BigInt(most), BigInt(most))) !== 0) {
      throw new Error(`setrlimit ${resource}: errno ${c.errno()}`);
    }
  }
}

/** Closes what was inherited by an oversight: everything but our pipes and what Node waits with. */
function closeForeign(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    if (fd <= SOCKET) continue;
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      if (!/^(pipe:|anon_inode:\[(eventpoll|eventfd|io_uring|timerfd|signalfd)\])/.test(target)) {
        closeSync(fd);
      }
    } catch {
      // The one that the folder was read by.
    }
  }
}

const openStatuses = () =>
  readdirSync('/proc/self/task').map((task) => openSync(`/proc/self/task/${task}/status`, 'r'));

const readAll = (statuses: readonly number[]) =>
  statuses.map((fd) => {
    const bytes = Buffer.alloc(1 << 14);
    return bytes.toString('latin1', 0, readSync(fd, bytes, 0, bytes.length, 0));
  });

const field = (status: string, name: string) =>
  new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1];
const capabilities = (status: string, set: string) => BigInt(`0x${field(status, set) ?? 'f'}`);
const has = (status: string, capability: bigint) =>
  (capabilities(status, 'CapEff') & (1n << capability)) !== 0n;

/** The descriptor on which files come. */
export const SOCKET = 3;
const F_SETFD = 2;
const NOBODY = 65534;
const CAP_SETGID = 6n;
const CAP_SETUID = 7n;
/** More than any kernel has. */
const LAST_CAPABILITY = 63;
const CAPABILITY_VERSION_3 = 0x20080522;
const SIGKILL = 9;
const PR_SET_PDEATHSIG = 1;
const PR_SET_DUMPABLE = 4;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const SECCOMP_FILTER_FLAG_TSYNC = 1;
const RLIMIT_CPU = 0;
const RLIMIT_FSIZE = 1;
const RLIMIT_CORE = 4;
const RLIMIT_NPROC = 6;
const RLIMIT_NOFILE = 7;
const RLIMIT_AS = 9;
