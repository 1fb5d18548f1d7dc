/**
 * Folded stacks, as flamegraph.pl, inferno and others read them: a line a stack, outermost first,
 * frames between semicolons, then outstanding bytes. Of names, semicolons become colons and what
 * would end the line becomes visible. Frames are marked as those tools do: `_[k]` of the kernel,
 * `_[i]` inlined, `_[j]` compiled by a runtime.
 */
import { harmless } from '../../../core/cli/text.js';
import type { Frame } from '../../../core/symbolize/frame.js';
import type { LeakSnapshot } from '../model.js';
import { isKernel, nameOf } from './frames.js';
import { pathsOf } from './paths.js';

export function foldedText(snapshot: Pick<LeakSnapshot, 'stacks' | 'targets'>): string {
  const sums = new Map<string, number>();
  for (const { root, frames, bytes } of pathsOf(snapshot)) {
    const line = [clean(root), ...frames.map((frame) => clean(nameOf(frame)) + mark(frame))].join(
      ';',
    );
    if (bytes > 0) sums.set(line, (sums.get(line) ?? 0) + bytes);
  }
  return [...sums].map(([line, bytes]) => `${line} ${bytes}\n`).join('');
}

/** An empty name would be no frame at all. */
const clean = (name: string) => harmless(name).replaceAll(';', ':').trim() || '[unnamed]';

function mark(frame: Frame): string {
  if (frame.inlined) return '_[i]';
  if (isKernel(frame)) return '_[k]';
  return frame.function !== undefined && frame.module === undefined ? '_[j]' : '';
}
