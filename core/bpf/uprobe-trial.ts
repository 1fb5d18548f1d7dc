/**
 * Whether this kernel makes a kind of uprobe links that can be relied on: tried once on this very
 * process, at the place where it began and where it never comes again.
 */
import { readdirSync } from 'node:fs';
import { ElfFile } from '../elf/elf-file.js';
import { MemWatcherError, NotSupported } from '../errors.js';
import type { BpfObject, UprobeKind, UprobeTarget } from './host.js';

const SELF = '/proc/self/exe';

/** Throws what the kernel says, or NotSupported. The program does not run. */
export function tryUprobes(object: BpfObject, program: string, kind: UprobeKind): void {
  const target = { path: SELF, offsets: [beginningOf(SELF)], pid: process.pid };
  object.attachUprobes(program, target).close();
  if (kind !== 'perf') wholeProcess(object, program, target);
}

/**
 * The first kernels that had such links kept them to the one thread of that number; who does so
 * takes a thread for a process here. Linux commit 46ba0e49b642 mended it.
 */
function wholeProcess(object: BpfObject, program: string, target: UprobeTarget): void {
  const thread = readdirSync('/proc/self/task')
    .map(Number)
    .find((tid) => tid !== process.pid);
  if (thread === undefined) return;
  try {
    object.attachUprobes(program, { ...target, pid: thread }).close();
  } catch (error) {
    if (error instanceof MemWatcherError && error.code === 'TARGET_GONE') return;
    throw error;
  }
  throw new NotSupported('probes of all threads of a process by one link', {
    hint: 'Linux 6.10, and the longterm kernels since, have it',
    program,
  });
}

function beginningOf(path: string): number {
  const file = ElfFile.open(path);
  try {
    const offset = file.entry === undefined ? undefined : file.codeOffsetOf(file.entry);
    if (offset !== undefined) return offset;
    throw new MemWatcherError('ELF_INVALID', `${path} has no beginning`);
  } finally {
    file.close();
  }
}
