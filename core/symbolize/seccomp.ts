/**
 * The system calls that the child keeps: memory, time, and the descriptors that it already has or is
 * handed. All others fail with EPERM, so that whoever takes the child over by a file can neither
 * open nor start nor connect to anything.
 */

/** By name: x86-64, arm64 (asm-generic). Absent: the architecture has no such call. */
const ALLOWED: Readonly<
  Record<string, readonly [x64: number | undefined, arm64: number | undefined]>
> = {
  read: [0, 63],
  write: [1, 64],
  readv: [19, 65],
  writev: [20, 66],
  pread64: [17, 67],
  close: [3, 57],
  fstat: [5, 80],
  newfstatat: [262, 79],
  statx: [332, 291],
  lseek: [8, 62],
  fcntl: [72, 25],
  poll: [7, undefined],
  ppoll: [271, 73],
  epoll_wait: [232, undefined],
  epoll_pwait: [281, 22],
  epoll_ctl: [233, 21],
  recvmsg: [47, 212],
  mmap: [9, 222],
  mprotect: [10, 226],
  munmap: [11, 215],
  mremap: [25, 216],
  madvise: [28, 233],
  mincore: [27, 232],
  brk: [12, 214],
  futex: [202, 98],
  membarrier: [324, 283],
  sched_yield: [24, 124],
  sched_getaffinity: [204, 123],
  clock_gettime: [228, 113],
  clock_getres: [229, 114],
  clock_nanosleep: [230, 115],
  nanosleep: [35, 101],
  gettimeofday: [96, 169],
  time: [201, undefined],
  getrandom: [318, 278],
  getrusage: [98, 165],
  sysinfo: [99, 179],
  uname: [63, 160],
  getpid: [39, 172],
  gettid: [186, 178],
  getppid: [110, 173],
  getuid: [102, 174],
  geteuid: [107, 175],
  getgid: [104, 176],
  getegid: [108, 177],
  rt_sigaction: [13, 134],
  rt_sigprocmask: [14, 135],
  rt_sigreturn: [15, 139],
  sigaltstack: [131, 132],
  restart_syscall: [219, 128],
  set_robust_list: [273, 99],
  rseq: [334, 293],
  exit: [60, 93],
  exit_group: [231, 94],
};

const ARCHITECTURES = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;

/** Classic BPF over struct seccomp_data; undefined on an architecture that is not in the table. */
export function seccompFilter(architecture: string = process.arch): Uint8Array | undefined {
  if (architecture !== 'x64' && architecture !== 'arm64') return undefined;
  const column = architecture === 'x64' ? 0 : 1;
  const numbers = Object.values(ALLOWED).flatMap((row) => row[column] ?? []);
  const instructions: Instruction[] = [
    [LOAD, 0, 0, ARCHITECTURE_AT],
    [JUMP_IF_EQUAL, 1, 0, ARCHITECTURES[architecture]],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD, 0, 0, NUMBER_AT],
    ...numbers.map((number, n): Instruction => [JUMP_IF_EQUAL, numbers.length - n, 0, number]),
    [RETURN, 0, 0, FAIL_EPERM],
    [RETURN, 0, 0, ALLOW],
  ];
  const bytes = Buffer.alloc(instructions.length * 8);
  for (const [n, [code, ifTrue, ifFalse, operand]] of instructions.entries()) {
    bytes.writeUInt16LE(code, n * 8);
    bytes.writeUInt8(ifTrue, n * 8 + 2);
    bytes.writeUInt8(ifFalse, n * 8 + 3);
    bytes.writeUInt32LE(operand, n * 8 + 4);
  }
  return bytes;
}

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

const LOAD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const ALLOW = 0x7fff0000;
const FAIL_EPERM = 0x00050001;
const KILL_PROCESS = 0x80000000;
