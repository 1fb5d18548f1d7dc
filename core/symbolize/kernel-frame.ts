/** One frame of a kernel stack. What could not be found out is absent. */
export interface KernelFrame {
  /** The instruction to which the frame returns; of a stack's innermost, where it is. */
  readonly address: bigint;
  /** As /proc/kallsyms spells it. */
  readonly function?: string;
  /** Bytes from the function's beginning to `address`. */
  readonly offset?: number;
  /** Kernel module; `bpf` for a BPF program. Absent for the kernel's own image. */
  readonly module?: string;
}

/**
 * One line a frame, innermost first, without a last newline; what the kernel prints of a stack:
 *
 *     __alloc_pages_slowpath+0x3a4
 *     nf_hook_slow+0x41 [nf_tables]
 *     0xffffffffc0123456
 */
export function formatKernelStack(frames: readonly KernelFrame[]): string {
  return frames.map(formatKernelFrame).join('\n');
}

export function formatKernelFrame({
  address,
  function: name,
  offset,
  module,
}: KernelFrame): string {
  if (name === undefined) return `0x${address.toString(16)}`;
  const place = offset === undefined ? name : `${name}+0x${offset.toString(16)}`;
  return module === undefined ? place : `${place} [${module}]`;
}
