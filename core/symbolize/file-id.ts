/**
 * Which file it is, in a way that nobody can pass another one off for it. A build id is text that
 * whoever links a file chooses. Device and inode are the kernel's, but an inode is used again: its
 * time of birth tells the next file apart, and size and time of change (ctime) one that was written
 * over: the owner can set the time of modification, but not that.
 */
import { type BigIntStats, fstatSync } from 'node:fs';

export interface FileId {
  /** The file, whatever is written into it. */
  readonly file: string;
  /** The file as it is now. */
  readonly version: string;
}

export function fileIdOf(from: number | BigIntStats): FileId {
  const stats = typeof from === 'number' ? fstatSync(from, { bigint: true }) : from;
  const file = `${stats.dev} ${stats.ino} ${stats.birthtimeNs}`;
  return { file, version: `${file} ${stats.size} ${stats.ctimeNs}` };
}
