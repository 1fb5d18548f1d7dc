/**
 * What is called of libc beyond Node: a file handed to another process, memory as a file, and the
 * giving up of rights. Nothing here is called per event.
 */
import koffi from 'koffi';

export type LibC = ReturnType<typeof declare>;

let declared: LibC | undefined;

export function libc(): LibC {
  declared ??= declare();
  return declared;
}

function declare() {
  const c = koffi.load(null);
  const socketpair = c.func(
    'int socketpair(int domain, int type, int protocol, _Out_ int *pair)',
  ) as (domain: number, type: number, protocol: number, pair: Int32Array) => number;
  const sendmsg = c.func('int64_t sendmsg(int socket, void *message, int flags)') as MessageCall;
  const recvmsg = c.func('int64_t recvmsg(int socket, void *message, int flags)') as MessageCall;
  const memfd = c.func('int memfd_create(const char *name, unsigned int flags)') as (
    name: string,
    flags: number,
  ) => number;
  const ptrace = c.func('long ptrace(long request, int pid, void *address, void *data)') as (
    request: number,
    pid: number,
    address: bigint,
    data: bigint,
  ) => number;
  const waitpid = c.func('int waitpid(int pid, _Out_ int *status, int options)') as (
    pid: number,
    status: Int32Array,
    options: number,
  ) => number;
  const malloc = c.func('uintptr_t malloc(size_t size)') as (size: number) => number | bigint;
  const free = c.func('void free(uintptr_t address)') as (address: number | bigint) => void;
  return {
    /** Takes memory of libc and gives it back, so many times: what a call of them costs is measured by it. */
    takeAndGive(times: number): void {
      for (let n = 0; n < times; n++) free(malloc(64));
    },

    /** Two connected ends that keep messages apart; neither is inherited by itself. */
    socketPair(): readonly [number, number] {
      const pair = new Int32Array(2);
      if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        throw failed('socketpair');
      return [pair[0] ?? -1, pair[1] ?? -1];
    },

    /** False if the other end has gone or takes no more. */
    sendFile(socket: number, fd: number): boolean {
      const { message, control } = messageOf();
      control.writeInt32LE(fd, CONTROL_HEADER);
      return sendmsg(socket, message, MSG_DONTWAIT | MSG_NOSIGNAL) === 1;
    },

    /** Waits for it. Undefined if the other end has gone or no file came. */
    receiveFile(socket: number): number | undefined {
      const { message, control, byte } = messageOf();
      control.fill(0);
      if (recvmsg(socket, message, MSG_CMSG_CLOEXEC) !== 1 || byte[0] !== 1) return undefined;
      const isFile =
        control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS;
      return isFile ? control.readInt32LE(CONTROL_HEADER) : undefined;
    },

    /** A file that is nowhere, empty. */
    memoryFile(name: string): number {
      const fd = memfd(name, MFD_CLOEXEC);
      if (fd < 0) throw failed('memfd_create');
      return fd;
    },

    /** ptrace(2): 0, or errno. */
    trace: (request: number, pid: number, address = 0n, data = 0n): number =>
      ptrace(request, pid, address, data) < 0 ? koffi.errno() : 0,

    /** The status of a thread that is traced; undefined if it has not changed. */
    statusOf(tid: number): number | undefined {
      const status = new Int32Array(1);
      return waitpid(tid, status, WNOHANG | WALL) === tid ? status[0] : undefined;
    },

    /** Of a thread that is traced and stands still, as the kernel has them (NT_PRSTATUS). */
    registersOf(tid: number): bigint[] {
      const words = new BigUint64Array(64);
      const vector = BigUint64Array.of(koffi.address(words), BigInt(words.byteLength));
      if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, koffi.address(vector)) < 0) return [];
      return [...words.subarray(0, Number(vector[1] ?? 0n) / 8)];
    },

    prctl: c.func(
      'int prctl(int what, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
    ) as (what: number, a: number, b: number, c: number, d: number) => number,
    setGroups: c.func('int setgroups(size_t count, void *groups)') as (
      count: number,
      groups: null,
    ) => number,
    /** These two change all threads of the process. */
    setGroup: c.func('int setresgid(uint32_t real, uint32_t effective, uint32_t saved)') as SetId,
    setUser: c.func('int setresuid(uint32_t real, uint32_t effective, uint32_t saved)') as SetId,
    setCapabilities: c.func('int capset(void *header, void *sets)') as (
      header: Uint8Array,
      sets: Uint8Array,
    ) => number,
    setLimit: c.func('int setrlimit(int resource, void *limits)') as (
      resource: number,
      limits: BigUint64Array,
    ) => number,
    execute: c.func('int execve(const char *path, void *argv, void *envp)') as (
      path: string,
      argv: BigUint64Array,
      envp: BigUint64Array,
    ) => number,
    control: c.func('int fcntl(int fd, int what, long value)') as (
      fd: number,
      what: number,
      value: number,
    ) => number,
    /** At once, without what Node does at its end. */
    exit: c.func('void _exit(int code)') as (code: number) => void,
    seccomp: (flags: number, filter: Uint8Array): number => seccompCall(c, flags, filter),
    addressOf: (bytes: Uint8Array): bigint => koffi.address(bytes),
    errno: () => koffi.errno(),
  };
}

type MessageCall = (socket: number, message: Uint8Array, flags: number) => number;
type SetId = (real: number, effective: number, saved: number) => number;

function seccompCall(c: ReturnType<typeof koffi.load>, flags: number, filter: Uint8Array): number {
  const call = c.func(
    'long syscall(long number, unsigned long what, unsigned long flags, void *program)',
  ) as (number: number, what: number, flags: number, program: Uint8Array) => number;
  // struct sock_fprog: how many instructions, and where.
  const program = Buffer.alloc(16);
  program.writeUInt16LE(filter.length / 8, 0);
  program.writeBigUInt64LE(koffi.address(filter), 8);
  return call(process.arch === 'arm64' ? 277 : 317, SECCOMP_SET_MODE_FILTER, flags, program);
}

/** struct msghdr with one byte and room for one descriptor. */
function messageOf() {
  const byte = Buffer.alloc(1, 1);
  const control = Buffer.alloc(24);
  control.writeBigUInt64LE(BigInt(CONTROL_HEADER + 4), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(koffi.address(byte), 0);
  vector.writeBigUInt64LE(1n, 8);
  const message = Buffer.alloc(56);
  message.writeBigUInt64LE(koffi.address(vector), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(koffi.address(control), 32);
  message.writeBigUInt64LE(BigInt(control.length), 40);
  // The caller holds them all as long as their addresses are used.
  return { message, control, byte, vector };
}

const failed = (call: string) => new Error(`${call}: errno ${koffi.errno()}`);

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const CONTROL_HEADER = 16;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const MFD_CLOEXEC = 1;
const SECCOMP_SET_MODE_FILTER = 1;
const WNOHANG = 1;
const WALL = 0x40000000;
const PTRACE_GETREGSET = 0x4204;
const NT_PRSTATUS = 1n;
