/** The table with the stacks below it, as text. */
import { plainStyle, type Style } from '../../../core/cli/style.js';
import { renderTable } from '../../../core/cli/table.js';
import { fit, harmless, wrapText } from '../../../core/cli/text.js';
import type { Frame } from '../../../core/symbolize/frame.js';
import type { LeakSnapshot, LeakStack } from '../model.js';
import { framesOf, nameOf, sourceOf } from './frames.js';
import { byVerdict, classOf, stacksTable, targetsTable } from './table.js';
import { formatShare, formatSize } from './units.js';

export interface VerdictOptions {
  /** Columns; Infinity where nothing is to be cut. */
  readonly width?: number;
  readonly style?: Style;
}

/** All there is to say: stacks, who was watched, and every stack frame by frame. */
export function verdictText(snapshot: LeakSnapshot, options: VerdictOptions = {}): string {
  const { width = Number.POSITIVE_INFINITY, style = plainStyle } = options;
  const blocks = [
    renderTable(stacksTable(snapshot, Number.MAX_SAFE_INTEGER), width, style),
    ...(snapshot.targets.length > 0 ? [renderTable(targetsTable(snapshot), width, style)] : []),
    ...snapshot.stacks.toSorted(byVerdict).map((stack) => stackBlock(stack, options)),
  ];
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

/** A stack: what is held of it and why, then its frames. */
export function stackBlock(
  stack: LeakStack,
  { width = Number.POSITIVE_INFINITY, style = plainStyle }: VerdictOptions = {},
): string[] {
  const { id, judgement, reading } = stack;
  const { state, class: of, confidence, reason } = judgement;
  const verdict =
    of === undefined ? state : `${state} ${classOf(judgement)} ${formatShare(confidence)}`;
  const who = reading.source.kind === 'kernel' ? 'kernel' : reading.source.pid;
  const head = harmless(`${id} (${who}) ${verdict}: ${reason}${heapText(stack)}`);
  const deeper = reading.depth === 'end' ? [] : [`  … the stack is deeper (${reading.depth})`];
  return [
    ...wrapText(head, width).map((line, n) => style.bold(fit(n === 0 ? line : `  ${line}`, width))),
    ...framesOf(stack).map((frame) => fit(frameText(frame), width)),
    ...deeper.map(style.dim),
  ];
}

/** Where an allocator spends much more than was asked of it. */
function heapText({ reading: { bytes }, heapBytes = bytes }: LeakStack): string {
  const isMuch = heapBytes >= MUCH * bytes && heapBytes - bytes >= WORTH_A_WORD;
  return isMuch ? `; they take about ${formatSize(heapBytes)} of the heap` : '';
}

/** Times what was asked, and bytes. */
const MUCH = 1.5;
const WORTH_A_WORD = 4096;

function frameText(frame: Frame): string {
  const source = sourceOf(frame);
  const marks = [
    ...(source === undefined ? [] : [source]),
    ...(frame.inlined ? ['[inlined]'] : []),
    ...(frame.function === undefined && frame.lack !== undefined ? [`(${frame.lack})`] : []),
  ];
  return harmless(`  ${[nameOf(frame), ...marks].join('  ')}`);
}
