/** The built programs of the corpus. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../vm/initramfs.js';
import type { CorpusProgram } from './manifest.js';

/** As people debug, as they ship, and as they ship with frame pointers. */
export const BUILDS = ['O0', 'O2', 'O2-frames'] as const;
export type Build = (typeof BUILDS)[number];

const BIN = join(ROOT, 'dist/test/corpus/bin');
let failure: string | undefined;
let built = false;

/** Why there is no corpus here; undefined if it is built, or just was. */
export function corpusMissing(): string | undefined {
  if (built) return failure;
  built = true;
  const args = ['-s', `-j${availableParallelism()}`, '-C', join(ROOT, 'test/corpus')];
  const made = spawnSync('make', args, { encoding: 'utf8' });
  failure =
    made.status === 0
      ? undefined
      : `the corpus is not built: ${made.error?.message ?? made.stderr.trim()}`;
  return failure;
}

/** Programs in Rust are built only where there is a compiler. */
export const isBuilt = ({ name }: CorpusProgram): boolean => existsSync(binary(name, 'O0'));

export const binary = (name: string, build: Build): string => join(BIN, build, name);
