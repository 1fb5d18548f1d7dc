/** The programs of this folder. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');

export const programOf = (name: string): string => join(ROOT, 'dist/test/fakes', name);

/** Why they are not all here; undefined if they are built, or just were. */
export function programMissing(...names: readonly string[]): string | undefined {
  const missing = () => names.find((name) => !existsSync(programOf(name)));
  if (missing() === undefined) return undefined;
  const built = spawnSync('make', ['-s', '-C', join(ROOT, 'test/fakes')], { encoding: 'utf8' });
  const name = missing();
  if (name === undefined) return undefined;
  return `${name} is not built: ${built.error?.message ?? built.stderr.trim()}`;
}
