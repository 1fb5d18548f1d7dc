/**
 * The original's text, to the letter: what `mem_watcher -l PID` prints of a stack.
 *
 *     stack_id=0x3c14 with outstanding allocations: total_size=8 nr_allocs=2
 *     000055e032027205: alloc_v3 @ 0x11e9+0x1c /test_leak.c:11
 *                       helper @ /test_leak.c:5 [inlined]
 *     00007f1ca1d66609: start_thread @ 0x8530+0xd9
 *
 * What was inlined stands below the function that it is in, from its caller inwards. The stack id is
 * the stable one (stack-id.ts): the original's changed with every run.
 */
import { harmless } from '../../../core/cli/text.js';
import type { Frame } from '../../../core/symbolize/frame.js';
import type { LeakSnapshot, LeakStack } from '../model.js';
import { bySize, callsOf, hex, sourceOf } from './frames.js';

/** Every stack, largest first; empty if there is none. */
export const originalText = ({ stacks }: Pick<LeakSnapshot, 'stacks'>): string =>
  stacks
    .toSorted(bySize)
    .map((stack) => `${headLine(stack)}\n${stackTrace(stack)}\n`)
    .join('');

/** The frames alone, a line each, without a last newline: `code.stacktrace` of the event. */
export const stackTrace = (stack: Pick<LeakStack, 'frames' | 'reading'>): string =>
  stackLines(stack).join('\n');

export const stackLines = (stack: Pick<LeakStack, 'frames' | 'reading'>): string[] =>
  callsOf(stack).flatMap(({ frame, inlined }) => [
    frameLine(frame),
    ...inlined.toReversed().map(inlinedLine),
  ]);

function headLine({ id, reading: { bytes, allocations } }: LeakStack): string {
  const figures = `total_size=${Math.round(bytes)} nr_allocs=${Math.round(allocations)}`;
  return `stack_id=0x${id} with outstanding allocations: ${figures}`;
}

function frameLine(frame: Frame): string {
  const { address, function: name, functionAddress, offset } = frame;
  const at = address.toString(16).padStart(16, '0');
  if (name === undefined) return `${at}: <no-symbol>`;
  const place =
    functionAddress === undefined || offset === undefined
      ? ''
      : ` @ ${hex(functionAddress)}+${hex(offset)}`;
  const source = sourceOf(frame);
  return `${at}: ${harmless(name)}${place}${source === undefined ? '' : ` ${harmless(source)}`}`;
}

const INDENT = ' '.repeat(18);

function inlinedLine(frame: Frame): string {
  const source = sourceOf(frame);
  const place = source === undefined ? '' : ` @ ${harmless(source)}`;
  return `${INDENT}${harmless(frame.function ?? '<no-symbol>')}${place} [inlined]`;
}
