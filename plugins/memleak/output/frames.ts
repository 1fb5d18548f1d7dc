/** What the formats ask of a stack's frames. Names are as they were found: hostile until printed. */
import { basename } from 'node:path';
import type { Frame } from '../../../core/symbolize/frame.js';
import type { LeakStack, Reading } from '../model.js';
import { namedFrame } from '../named-frame.js';

/** One address of a stack: the function that it is in, and what was inlined into it there. */
export interface Call {
  readonly frame: Frame;
  /** Innermost first. */
  readonly inlined: readonly Frame[];
}

/** Innermost first. Addresses alone where nobody asked for names yet. */
export function callsOf({
  frames,
  reading,
}: {
  readonly frames: readonly Frame[];
  readonly reading: Pick<Reading, 'frames'>;
}): Call[] {
  if (frames.length === 0) {
    return reading.frames.map((address) => ({ frame: { address, inlined: false }, inlined: [] }));
  }
  const calls: Call[] = [];
  let inlined: Frame[] = [];
  for (const frame of frames) {
    if (frame.inlined) {
      inlined.push(frame);
    } else {
      calls.push({ frame, inlined });
      inlined = [];
    }
  }
  // An inlined frame without the one that it is part of: told rather than lost.
  const last = inlined.pop();
  if (last) calls.push({ frame: last, inlined });
  return calls;
}

/** Every frame with its inlined ones, innermost first; addresses alone without names. */
export const framesOf = (stack: Pick<LeakStack, 'frames' | 'reading'>): Frame[] =>
  callsOf(stack).flatMap(({ frame, inlined }) => [...inlined, frame]);

export const hex = (value: bigint | number) => `0x${value.toString(16)}`;

/** What people call the code: its function, else its file and where in it, else its address. */
export function nameOf({ function: name, module, moduleAddress, address }: Frame): string {
  if (name !== undefined) return name;
  if (module === undefined || module === '') return hex(address);
  const place = moduleAddress === undefined ? '' : `+${hex(moduleAddress)}`;
  return `${basename(module)}${place}`;
}

/** `/src/list.c:12`; undefined where no debug information says. */
export function sourceOf({ file, line }: Frame): string | undefined {
  if (file === undefined) return undefined;
  return line === undefined ? file : `${file}:${line}`;
}

export const isKernel = ({ module, address }: Frame) =>
  module?.startsWith('[kernel') === true || address >= 2n ** 63n;

/** Where to look first: the program's own innermost frame; what there is if none has a name. */
export function ownFrame(stack: Pick<LeakStack, 'frames' | 'reading'>): Frame | undefined {
  const frames = framesOf(stack);
  return namedFrame(frames) ?? frames[0];
}

/** Largest first; of equals the one with the smaller id, so that the order is the same everywhere. */
export const bySize = (a: LeakStack, b: LeakStack) =>
  b.reading.bytes - a.reading.bytes ||
  b.reading.allocations - a.reading.allocations ||
  (a.id < b.id ? -1 : Number(a.id > b.id));

/** Seconds; undefined where nobody looked. */
export const oldestAge = ({ ageQuantiles, reading }: LeakStack): number | undefined =>
  ageQuantiles?.oldest ?? reading.ages?.oldest;
