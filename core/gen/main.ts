/** `npm run gen`: writes every generated file; with `--check` only says which are stale. */
import 'reflect-metadata';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { plugins } from '../../plugins/index.js';
import { reportError } from '../cli/report.js';
import { findInstallation } from '../install.js';
import { outputs, stale } from './outputs.js';

function generate(checkOnly: boolean): number {
  const { root } = findInstallation(import.meta.url);
  const changed = stale(outputs(root, plugins));
  for (const { path, content } of changed) {
    if (!checkOnly) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
    process.stdout.write(`${checkOnly ? 'stale' : 'wrote'} ${relative(root, path)}\n`);
  }
  if (!checkOnly || changed.length === 0) return 0;
  process.stderr.write('npm run gen renews them\n');
  return 1;
}

try {
  process.exitCode = generate(process.argv.includes('--check'));
} catch (error) {
  process.exitCode = reportError(error, process.stderr);
}
