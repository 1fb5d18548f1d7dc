/** The words of a flame graph. */
import { basename } from 'node:path';
import { formatCount } from '../../../core/cli/format.js';
import { harmless } from '../../../core/cli/text.js';
import type { LeakSnapshot, LeakStack, Target } from '../model.js';
import type { Box } from './flame-layout.js';
import type { FlameNode } from './flame-tree.js';
import { isKernel, oldestAge, sourceOf } from './frames.js';
import {
  formatAge,
  formatAllocations,
  formatEstimate,
  formatGrowth,
  formatShare,
  formatSize,
} from './units.js';

export function headings(
  { targets, startTime, time, omitted }: LeakSnapshot,
  tree: FlameNode,
): { readonly title: string; readonly subtitle: string } {
  const who = targets.map(targetName).join(', ') || 'nobody';
  const parts = [
    `${formatSize(tree.bytes)} in ${formatAllocations(tree.allocations)}`,
    `watched for ${formatAge(Math.max(0, time - startTime) / 1000)}`,
    ...new Set(targets.map(howSeen)),
    ...(omitted > 0 ? [`${formatCount(omitted)} smaller stacks left out`] : []),
    `${new Date(time).toISOString().slice(0, 19).replace('T', ' ')} UTC`,
  ];
  return { title: `Outstanding allocations of ${harmless(who)}`, subtitle: parts.join(' · ') };
}

const targetName = ({ source, comm }: Target) =>
  source.kind === 'kernel' ? 'the kernel' : `${comm} (${source.pid})`;

function howSeen({ coverage }: Target): string {
  const { samplingInterval, missedAllocations, missedFrees } = coverage;
  const missed = missedAllocations + missedFrees;
  if (samplingInterval > 0) return `sampled every ${formatSize(samplingInterval)}: estimates`;
  return missed === 0 ? 'every allocation recorded' : `${formatCount(missed)} runs missed`;
}

/** On the box. */
export function boxLabel({ node, stack }: Box): string {
  if (!stack) return harmless(node.name);
  const { state, class: kind, confidence } = stack.judgement;
  const share = confidence === undefined ? '' : ` ${formatShare(confidence)}`;
  return `${state}${kind === undefined ? '' : ` · ${kind}${share}`}`;
}

/** All that is known, a line each. */
export function boxTitle({ node, stack }: Box, whole: number): string {
  const lines = stack ? stackTitle(stack) : frameTitle(node);
  const bytes = stack ? Math.round(stack.reading.bytes) : node.bytes;
  const count = stack ? Math.round(stack.reading.allocations) : node.allocations;
  const share = formatShare(whole === 0 ? undefined : bytes / whole);
  lines.push(`${formatSize(bytes)} (${share}) in ${formatAllocations(count)}`);
  return lines.map(harmless).join('\n');
}

function frameTitle({ name, frame }: FlameNode): string[] {
  if (!frame) return [name];
  const marks = [
    ...(frame.inlined ? ['inlined'] : []),
    ...(isKernel(frame) ? ['kernel'] : []),
    ...(frame.module === undefined ? [] : [basename(frame.module)]),
  ];
  const source = sourceOf(frame);
  return [
    name,
    ...(source === undefined ? [] : [source]),
    ...(marks.length === 0 ? [] : [marks.join(', ')]),
    ...(frame.lack === undefined
      ? []
      : [frame.function === undefined ? `no name: ${frame.lack}` : frame.lack]),
  ];
}

function stackTitle(stack: LeakStack): string[] {
  const { id, judgement, reading } = stack;
  return [
    `${boxLabel({ node: NOWHERE, stack, left: 0, width: 0, level: 0 })}: ${judgement.reason}`,
    `stack ${id}, coverage ${formatShare(judgement.coverage)}`,
    `growth ${formatGrowth(judgement.growth)} an hour, oldest ${formatAge(oldestAge(stack))}`,
    ...(reading.bytesError > 0 ? [formatEstimate(reading.bytes, reading.bytesError)] : []),
  ];
}

const NOWHERE: FlameNode = {
  name: '',
  bytes: 0,
  allocations: 0,
  byState: new Map(),
  children: [],
  stacks: [],
};
