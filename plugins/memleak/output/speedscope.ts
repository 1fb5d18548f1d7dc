/** speedscope's own file format (its file-format-schema.json): outstanding bytes, and allocations. */
import type { Frame } from '../../../core/symbolize/frame.js';
import type { LeakSnapshot } from '../model.js';
import { nameOf } from './frames.js';
import { pathsOf, type StackPath } from './paths.js';

interface SpeedscopeFrame {
  readonly name: string;
  readonly file?: string;
  readonly line?: number;
}

interface SampledProfile {
  readonly type: 'sampled';
  readonly name: string;
  readonly unit: 'bytes' | 'none';
  readonly startValue: number;
  readonly endValue: number;
  readonly samples: readonly (readonly number[])[];
  readonly weights: readonly number[];
}

export interface SpeedscopeFile {
  readonly $schema: 'https://www.speedscope.app/file-format-schema.json';
  readonly name: string;
  readonly exporter: string;
  readonly activeProfileIndex: number;
  readonly shared: { readonly frames: readonly SpeedscopeFrame[] };
  readonly profiles: readonly SampledProfile[];
}

export const speedscopeText = (snapshot: LeakSnapshot): string =>
  `${JSON.stringify(speedscopeFile(snapshot))}\n`;

export function speedscopeFile(snapshot: LeakSnapshot): SpeedscopeFile {
  const paths = pathsOf(snapshot);
  const table = new FrameTable();
  const samples = paths.map(({ root, frames }) => [
    table.index({ name: root }),
    ...frames.map((frame) => table.index(speedscopeFrame(frame))),
  ]);
  const who = [...new Set(paths.map(({ root }) => root))].join(', ');
  return {
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    name: `Outstanding allocations: ${who || 'none'}`,
    exporter: 'mem-watcher',
    activeProfileIndex: 0,
    shared: { frames: table.frames },
    profiles: [
      profile('bytes', 'bytes', paths, samples, ({ bytes }) => bytes),
      profile('allocations', 'none', paths, samples, ({ allocations }) => allocations),
    ],
  };
}

/** Each frame once. */
class FrameTable {
  readonly frames: SpeedscopeFrame[] = [];
  readonly #known = new Map<string, number>();

  index(frame: SpeedscopeFrame): number {
    const key = JSON.stringify(frame);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#known.set(key, this.frames.length);
    return this.frames.push(frame) - 1;
  }
}

function speedscopeFrame(frame: Frame): SpeedscopeFrame {
  const { file, line } = frame;
  return {
    name: nameOf(frame).toWellFormed(),
    ...(file !== undefined && { file: file.toWellFormed() }),
    ...(line !== undefined && { line }),
  };
}

function profile(
  name: string,
  unit: SampledProfile['unit'],
  paths: readonly StackPath[],
  samples: readonly (readonly number[])[],
  weightOf: (path: StackPath) => number,
): SampledProfile {
  const weights = paths.map(weightOf);
  const endValue = weights.reduce((sum, weight) => sum + weight, 0);
  return { type: 'sampled', name, unit, startValue: 0, endValue, samples, weights };
}
