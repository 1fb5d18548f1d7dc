/** Stacks of the kernel as the frames that stacks of processes have. */
import type { Frame } from './frame.js';
import type { KernelFrame } from './kernel-frame.js';

/** What names kernel addresses: `KernelSymbols`. */
export interface KernelResolver {
  readonly reason: string | undefined;
  resolve(stack: readonly bigint[]): Promise<readonly KernelFrame[]>;
}

/** One frame an address, innermost first, all of them return addresses but the first. */
export async function kernelFrames(
  symbols: KernelResolver,
  stack: readonly bigint[],
): Promise<readonly Frame[]> {
  const frames = await symbols.resolve(stack);
  return frames.map((frame) => toFrame(frame, symbols.reason));
}

function toFrame({ address, function: name, offset, module }: KernelFrame, reason?: string): Frame {
  if (name === undefined) {
    return { address, inlined: false, lack: reason ?? 'no function of the kernel is there' };
  }
  return {
    address,
    function: name,
    ...(offset !== undefined && { offset, functionAddress: address - BigInt(offset) }),
    inlined: false,
    module: module ?? '[kernel]',
  };
}
