/**
 * Where the paths of a process lead: its mount namespace and its root. Its own debug files are found
 * there, and who has a root of their own decides what they say.
 */
import { readlinkSync } from 'node:fs';

/** Undefined where it is the agent's own, or cannot be read. */
export function foreignRootOf(pid: number, proc = '/proc'): string | undefined {
  const root = rootOf(pid, proc);
  return root === rootOf(process.pid, proc) ? undefined : root;
}

function rootOf(pid: number, proc: string): string | undefined {
  try {
    return `${readlinkSync(`${proc}/${pid}/ns/mnt`)} ${readlinkSync(`${proc}/${pid}/root`)}`;
  } catch {
    return undefined;
  }
}
