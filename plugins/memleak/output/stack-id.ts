/**
 * A stack's name of its own: 16 hex digits, the same for the same leak on every host of a fleet,
 * whatever ASLR and KASLR did there. It is made of what lies on the stack and never of addresses in
 * memory, names of lines or inlined functions, so it is known before anything is symbolized and
 * does not change when debug files arrive.
 *
 * SHA-256 over one text, cut to 64 bits: a line a frame, innermost first, each of them one of
 *
 *     file <build id, or `name:` and the file's base name> <offset into the file, hex>
 *     kernel <function>+<offset, hex> <kernel module, if any>
 *     code <name>                what a runtime compiled and named (perf-PID.map)
 *     code                       what nobody names: only its place in the stack counts
 *
 * and before them, of the kernel, the allocator: `origin kmalloc-64`. Two stacks that differ only in
 * code without a name have the same id; who needs to tell them apart has the reading's key.
 */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { KernelFrame } from '../../../core/symbolize/kernel-frame.js';
import type { ProcessMap } from '../../../core/symbolize/symbolizer.js';

/** Where a frame is, in terms that hold on every host. */
export type Place =
  | {
      readonly kind: 'file';
      /** Hex; without one the file is told by its base name. */
      readonly buildId?: string | undefined;
      readonly path: string;
      /** Bytes into the file. */
      readonly offset: bigint;
    }
  | {
      readonly kind: 'kernel';
      readonly symbol: string;
      readonly offset: number;
      readonly module?: string | undefined;
    }
  | { readonly kind: 'code'; readonly name?: string | undefined };

const DIGITS = 16;

/** Of places, innermost first; `origin` as in the reading. */
export function stackId(places: readonly Place[], origin?: string): string {
  const lines = origin === undefined ? [] : [`origin ${clean(origin)}`];
  for (const place of places) lines.push(line(place));
  return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, DIGITS);
}

/** Of a process's stack. `nameOf`: what a runtime calls code that is in no file, where it says so. */
export function processStackId(
  map: Pick<ProcessMap, 'find'>,
  frames: readonly bigint[],
  nameOf: (address: bigint) => string | undefined = () => undefined,
): string {
  return stackId(frames.map((address) => placeOf(map, address, nameOf)));
}

/**
 * Of a site: its first `count` frames, all if not said; what called them counts as code without a name.
 * No frame in no file has one.
 */
export function siteId(
  map: Pick<ProcessMap, 'find'>,
  frames: readonly bigint[],
  count = frames.length,
): string {
  const places = frames.slice(0, count).map((address) => placeOf(map, address, () => undefined));
  return stackId(count < frames.length ? [...places, { kind: 'code' }] : places);
}

function placeOf(
  map: Pick<ProcessMap, 'find'>,
  address: bigint,
  nameOf: (address: bigint) => string | undefined,
): Place {
  const found = map.find(address);
  if (!found || (found.path === '' && found.buildId === undefined)) {
    return { kind: 'code', name: nameOf(address) };
  }
  const { buildId, path, start, fileOffset } = found;
  return { kind: 'file', buildId, path, offset: address - start + fileOffset };
}

/** Of a kernel stack; a frame that kallsyms does not name counts by its place only. */
export function kernelStackId(frames: readonly KernelFrame[], origin?: string): string {
  return stackId(
    frames.map(
      ({ function: symbol, offset = 0, module }): Place =>
        symbol === undefined ? { kind: 'code' } : { kind: 'kernel', symbol, offset, module },
    ),
    origin,
  );
}

function line(place: Place): string {
  switch (place.kind) {
    case 'file': {
      const file = place.buildId ?? `name:${clean(basename(place.path))}`;
      return `file ${file} ${place.offset.toString(16)}`;
    }
    case 'kernel': {
      const module = place.module === undefined ? '' : ` ${place.module}`;
      return `kernel ${place.symbol}+${place.offset.toString(16)}${module}`;
    }
    case 'code':
      return place.name === undefined ? 'code' : `code ${clean(place.name)}`;
  }
}

/** One line stays one, so that no name can pass for two frames. */
const clean = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
