/** Files of whose code the function is known, but not all that debug information could tell. */
import { harmless } from '../../../core/cli/text.js';
import type { LeakStack } from '../model.js';

/** A sentence a file. */
export function partlyNamedNotes(stacks: readonly LeakStack[]): string[] {
  const notes = stacks
    .flatMap(({ frames }) => frames)
    .flatMap(({ function: name, lack, module }) =>
      name === undefined || lack === undefined || module === undefined
        ? []
        : [harmless(`${module}: ${lack}`)],
    );
  return [...new Set(notes)];
}
