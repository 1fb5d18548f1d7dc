/**
 * Which of a process's files can be opened without waiting for somebody. A file system in user space
 * or over the network answers when its server does, which may be never, and whoever opens a file of
 * it waits as long; the kernel's own list of mounts says which they are without asking them.
 */
import { closeSync, openSync, readlinkSync, readSync } from 'node:fs';

export interface Mount {
  /** As /proc/PID/maps spells a device: major and minor in hex, two digits at least. */
  readonly device: string;
  /** In the process's own root. */
  readonly point: string;
  readonly remote: boolean;
}

const REMOTE = /^(fuse|fuseblk|nfs4?|cifs|smb3|smbfs|ceph|glusterfs|afs|coda|ncpfs)(\.|$)/;
/** Bytes; the rest of a longer list is not known. */
const MAX_BYTES = 1 << 20;
/** ms; who mounts something meanwhile is seen a little later. */
const FRESH = 1000;

/** Of /proc/PID/mountinfo, in its order. Lines that make no sense are left out. */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [head = '', tail = ''] = line.split(' - ', 2);
    const [, , numbers = '', , point] = head.split(' ');
    const [, major, minor] = /^(\d+):(\d+)$/.exec(numbers) ?? [];
    if (point === undefined || major === undefined || minor === undefined) return [];
    const device = `${hex(Number(major))}:${hex(Number(minor))}`;
    return [{ device, point: unescaped(point), remote: REMOTE.test(tail.split(' ')[0] ?? '') }];
  });
}

/** Whether the path, without symbolic links, is on a file system that may not answer. */
export function isRemotePath(mounts: readonly Mount[], path: string): boolean {
  let [length, remote] = [-1, false];
  for (const mount of mounts) {
    const { point } = mount;
    const inside = point === '/' || path === point || path.startsWith(`${point}/`);
    // Of two at one point the later one is seen.
    if (inside && point.length >= length) [length, remote] = [point.length, mount.remote];
  }
  return remote;
}

export class Mounts {
  #last:
    | { readonly pid: number; readonly at: number; readonly mounts: readonly Mount[] }
    | undefined;

  constructor(private readonly proc = '/proc') {}

  /** Whether the device of a mapped file is one that may not answer. */
  isRemoteDevice(pid: number, device: string): boolean {
    return this.#of(pid).some((mount) => mount.remote && mount.device === device);
  }

  /**
   * Whether a path may be looked up in the process's root. In a namespace that others have mounted a
   * symbolic link may lead anywhere, so there nothing is where one such file system is mounted.
   */
  mayLookUp(pid: number, path: string): boolean {
    const mounts = this.#of(pid);
    if (!mounts.some(({ remote }) => remote)) return true;
    return this.#isOurs(pid) && !isRemotePath(mounts, path);
  }

  #of(pid: number): readonly Mount[] {
    const now = performance.now();
    const last = this.#last;
    if (last?.pid === pid && now - last.at < FRESH) return last.mounts;
    const mounts = parseMounts(readBounded(`${this.proc}/${pid}/mountinfo`));
    this.#last = { pid, at: now, mounts };
    return mounts;
  }

  #isOurs(pid: number): boolean {
    try {
      const [its, ours] = [pid, process.pid].map((one) => [
        readlinkSync(`${this.proc}/${one}/ns/mnt`),
        readlinkSync(`${this.proc}/${one}/root`),
      ]);
      return String(its) === String(ours);
    } catch {
      return false;
    }
  }
}

/** Empty of a process that has gone. */
function readBounded(file: string): string {
  const bytes = Buffer.alloc(MAX_BYTES);
  let length = 0;
  try {
    const fd = openSync(file, 'r');
    try {
      for (let read = 1; read > 0 && length < MAX_BYTES; length += read) {
        read = readSync(fd, bytes, length, MAX_BYTES - length, null);
      }
    } finally {
      closeSync(fd);
    }
  } catch {
    // What was read is what is known.
  }
  return bytes.toString('utf8', 0, length);
}

const hex = (number: number) => number.toString(16).padStart(2, '0');

/** The kernel writes blanks, newlines and backslashes as octal numbers. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
