/** Programs of this folder that need no more than to be started. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');

export const programOf = (name: string): string => join(ROOT, 'dist/test/fakes', name);

/** Why there is none here; undefined if it is built, or just was. */
export function programMissing(name: string): string | undefined {
  if (existsSync(programOf(name))) return undefined;
  const built = spawnSync('make', ['-s', '-C', join(ROOT, 'test/fakes')], { encoding: 'utf8' });
  if (existsSync(programOf(name))) return undefined;
  return `${name} is not built: ${built.error?.message ?? built.stderr.trim()}`;
}
