/**
 * Where a file has its code. A debug file says so of the file that it was split from, so that one of
 * another program is told even if it carries the same build id.
 */
import { ElfFile } from '../elf/elf-file.js';
import { PF_X, PT_LOAD, SHF_EXECINSTR } from '../elf/header.js';

/** [start, end) by the file's own addresses. */
type Range = readonly [start: number, end: number];

export interface CodeLayout {
  /** Sorted; empty of a file whose section headers were stripped. */
  readonly sections: readonly Range[];
  readonly segments: readonly Range[];
}

/** Of a file that is none of ours: nothing. */
export function codeLayoutOf(fd: number): CodeLayout {
  try {
    const { sections, segments } = ElfFile.open(fd);
    return {
      sections: sections
        .filter(({ flags, size }) => (flags & SHF_EXECINSTR) !== 0 && size > 0)
        .map(({ address, size }): Range => [address, address + size])
        .sort(([a], [b]) => a - b),
      segments: segments
        .filter(({ type, flags }) => type === PT_LOAD && (flags & PF_X) !== 0)
        .map(({ address, memorySize }): Range => [address, address + memorySize]),
    };
  } catch {
    return { sections: [], segments: [] };
  }
}

/** Whether a debug file with that layout can be of the file with the other. */
export function isCodeOf(debug: CodeLayout, file: CodeLayout): boolean {
  if (file.sections.length === 0) {
    return debug.sections.every((section) => file.segments.some((one) => contains(one, section)));
  }
  return (
    debug.sections.length === file.sections.length &&
    debug.sections.every((section, n) => isSame(section, file.sections[n]))
  );
}

const contains = ([start, end]: Range, [from, to]: Range) => start <= from && to <= end;
const isSame = ([start, end]: Range, other: Range | undefined) =>
  other !== undefined && start === other[0] && end === other[1];
