/** Why a process cannot be followed at all. Pure, but for what it is told. */
import type { ProcessMap } from '../../../core/symbolize/symbolizer.js';
import type { Candidate } from './candidate.js';
import type { Image } from './image.js';

/** Refusals hold until the process executes another program. */
export function refusalOf(
  { pid, kernelThread }: Candidate,
  self = process.pid,
): string | undefined {
  if (kernelThread) return 'it is a thread of the kernel, which has no allocator of its own';
  // Its own probes would make it work for each thing that it does for them.
  if (pid === self) return 'it is this agent itself';
  return undefined;
}

/** Until 6.11 a return probe writes its address on the one stack alone, and the program is killed. */
export const SHADOWED =
  'it has a shadow stack (x86_Thread_features: shstk), with which a return probe of this kernel would ' +
  'kill it; kernels from 6.11 on can';

export function refusalOfProgram(program: Image | undefined, map: ProcessMap): string | undefined {
  if (map.modules.length === 0) {
    return 'its memory map cannot be read: CAP_SYS_PTRACE is needed, or it has just gone';
  }
  if (program === undefined) {
    return 'its executable cannot be read: it has gone, or is on a file system in user space or over the network';
  }
  if (program.bits === 32) return 'it is a 32-bit program; only 64-bit programs can be followed';
  // What is loaded beside it, C's allocator, runs on stacks of its own, which stay where they are.
  if (program.isGo && program.isStatic) {
    return 'it is a Go program without a C library, which a return probe would crash: Go moves stacks as they grow. Its own profiler (net/http/pprof) shows what Go allocates; linked dynamically (CGO_ENABLED=1), what its C code does is seen here';
  }
  return undefined;
}

/** Why a process without a known allocator has none. */
export function lackOf(program: Image | undefined): string {
  if (program?.isStatic && !program.hasSymbols) {
    return 'it is linked statically and stripped: nothing says where its allocator is';
  }
  const where = program?.isStatic ? 'it is linked statically, and has' : 'none of its files has';
  const what = program?.isStatic ? 'no allocator' : 'an allocator';
  return `${where} ${what} that is known by name; the target’s key functions takes further names`;
}
