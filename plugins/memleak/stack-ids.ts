import type { Frame } from '../../core/symbolize/frame.js';
import type { ProcessMap } from '../../core/symbolize/symbolizer.js';
import type { Reading } from './model.js';
import { kernelStackId, processStackId } from './output/stack-id.js';

/** The stack's stable id; `frames` name code that is in no file, and the kernel's. */
export function stackIdOf(
  reading: Reading,
  map: ProcessMap | undefined,
  frames: readonly Frame[],
): string {
  if (reading.site) return reading.site.id;
  const own = new Map(
    frames.filter(({ inlined }) => !inlined).map((frame) => [frame.address, frame] as const),
  );
  if (reading.source.kind === 'process') {
    const find = (address: bigint) => map?.find(address);
    return processStackId({ find }, reading.frames, (address) => own.get(address)?.function);
  }
  return kernelStackId(
    reading.frames.map((address) => own.get(address) ?? { address }),
    reading.origin,
  );
}
