/**
 * Whom a kernel hook saw: from `struct who` of `bpf/who.bpf.h` to what people and backends call a
 * process, a thread and a container. The process may be long gone when its record is decoded.
 */
import type { AttributeSpec } from '../metadata.js';
import { bootSecond } from './boot-moment.js';
import type { CgroupIdentity, CgroupPaths } from './cgroup-paths.js';

/** `struct who` decoded. Names hold whatever the process chose: control characters included. */
export interface WhoRecord {
  /** Of the process, CLOCK_BOOTTIME, ns. */
  readonly start_time: number;
  /** kernfs id; 0 if unknown. */
  readonly cgroup: number;
  /** Not 0: `cgroup` is in the memory controller's own hierarchy. */
  readonly cgroup_v1: number;
  readonly pid: number;
  readonly tid: number;
  /** Not 0: it has no memory of its own. */
  readonly kernel_thread: number;
  /** Of the thread. At most 15 bytes. */
  readonly comm: string;
  /** Base name of the file that it runs; empty where the kernel does not say. */
  readonly executable: string;
}

/** `struct who`, told. */
export interface Who {
  readonly pid: number;
  readonly tid: number;
  /** CLOCK_BOOTTIME ns. With the pid it is the process's identity: pids are used again. */
  readonly startNs: number;
  /** The same in Unix ms. */
  readonly startTime: number;
  /** Of the thread. */
  readonly comm: string;
  /** Of the process: of the file that it runs, else its own; undefined where only a thread's is known. */
  readonly executable: string | undefined;
  readonly isKernelThread: boolean;
  /** undefined where it is unknown: removed before it could be asked for. */
  readonly cgroup: CgroupIdentity | undefined;
}

export const containerAttributes = {
  'container.id': {
    type: 'string',
    optional: true,
    description: 'Innermost container, from the cgroup path',
    example: 'a3bf90e006b2a3bf90e006b2a3bf90e006b2a3bf90e006b2a3bf90e006b2a3bf',
  },
  'k8s.pod.uid': {
    type: 'string',
    optional: true,
    description: 'Pod, from the cgroup path',
    example: '275ecb36-5aa8-4c2a-9c47-d8bb681b9aff',
  },
} as const satisfies Specs;

export const processAttributes = {
  'process.pid': {
    type: 'int',
    optional: true,
    description: 'Process id on the host',
    example: 4711,
  },
  'process.creation.time': {
    type: 'string',
    optional: true,
    description: 'When it began, ISO 8601; tells apart processes that had the same pid',
    example: '2026-11-23T09:25:34.853Z',
  },
  'process.executable.name': {
    type: 'string',
    optional: true,
    description: 'Base name of the file that it runs (first 63 bytes)',
    example: 'postgres',
  },
  'process.linux.cgroup': {
    type: 'string',
    optional: true,
    description: 'Its line of /proc/PID/cgroup: v2, or the memory controller of v1',
    example: '0::/system.slice/postgresql.service',
  },
  ...containerAttributes,
} as const satisfies Specs;

export const whoAttributes = {
  ...processAttributes,
  'thread.id': {
    type: 'int',
    optional: true,
    description: 'Id of the thread on the host, where it is not the process’s first',
    example: 4712,
  },
  'thread.name': {
    type: 'string',
    optional: true,
    description: 'Name of the thread (first 15 bytes), where it is not the executable’s',
    example: 'walwriter',
  },
} as const satisfies Specs;

type Specs = Readonly<Record<string, AttributeSpec>>;

type Values<S extends Specs> = {
  readonly [A in keyof S]?: S[A]['type'] extends 'int' ? number : string;
};

export type ContainerAttributes = Values<typeof containerAttributes>;
export type ProcessAttributes = Values<typeof processAttributes>;
export type WhoAttributes = Values<typeof whoAttributes>;

/** Bytes that the kernel keeps of a thread's name. */
const COMM_BYTES = 15;

export class WhoIs {
  readonly #cgroups: CgroupPaths;
  readonly #bootTime: number;

  /** `bootTime` as Unix ms: the one that stays the same, or a process would have two identities. */
  constructor(cgroups: CgroupPaths, bootedAt = bootSecond()) {
    this.#cgroups = cgroups;
    this.#bootTime = bootedAt;
  }

  who(record: WhoRecord): Who {
    const { pid, tid, comm, executable } = record;
    const isKernelThread = record.kernel_thread !== 0;
    // A process that has given its memory up no longer says what it ran.
    const own = isKernelThread || pid === tid ? comm : undefined;
    return {
      pid,
      tid,
      startNs: record.start_time,
      startTime: startTimeOf(record.start_time, this.#bootTime),
      comm,
      executable: executable || own || undefined,
      isKernelThread,
      cgroup: this.cgroup(record.cgroup, record.cgroup_v1 !== 0, pid),
    };
  }

  /** Of process and thread; what is unknown or does not apply is absent. */
  attributes(record: WhoRecord): WhoAttributes {
    return attributesOfWho(this.who(record));
  }

  /** Of the process, whatever thread of it the record is of: for series. */
  process(record: WhoRecord): ProcessAttributes {
    return attributesOfProcess(this.who(record));
  }

  /** Of the container of that cgroup; `pid` is or was a member of it. */
  container(cgroup: number, v1: boolean, pid: number): ContainerAttributes {
    return attributesOfContainer(this.cgroup(cgroup, v1, pid));
  }

  cgroup(id: number, v1: boolean, pid: number): CgroupIdentity | undefined {
    return this.#cgroups.ofTask(id, v1, pid);
  }
}

/** When a process began, Unix ms, of what the kernel counts since boot. */
export const startTimeOf = (startNs: number, bootedAt: number): number =>
  bootedAt + Math.floor(startNs / 1e6);

export function attributesOfWho(who: Who): WhoAttributes {
  const { pid, tid, comm, executable } = who;
  return known({
    ...attributesOfProcess(who),
    'thread.id': tid === pid ? undefined : tid,
    'thread.name': isBeginning(comm, executable) ? undefined : comm || undefined,
  });
}

export function attributesOfProcess({
  pid,
  startTime,
  executable,
  cgroup,
}: Pick<Who, 'pid' | 'startTime' | 'executable' | 'cgroup'>): ProcessAttributes {
  return known({
    'process.pid': pid,
    'process.creation.time': new Date(startTime).toISOString(),
    'process.executable.name': executable,
    'process.linux.cgroup': cgroup?.line,
    ...attributesOfContainer(cgroup),
  });
}

export function attributesOfContainer(cgroup: CgroupIdentity | undefined): ContainerAttributes {
  return known({ 'container.id': cgroup?.containerId, 'k8s.pod.uid': cgroup?.podUid });
}

/** Names are cut at a byte, perhaps inside of a character. */
function isBeginning(comm: string, executable: string | undefined): boolean {
  if (executable === undefined) return false;
  const bytes = Buffer.from(executable).subarray(0, COMM_BYTES);
  return bytes.toString('utf8') === comm;
}

/** Without what is unknown: exporters would have to copy it away for every point. */
function known<T extends object>(values: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}
