import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ExportersConfig } from '../config/schema.js';
import { type Environment, resolveExporters } from './settings.js';

/**
 * What the PEM files that exporters name hold now, as one digest: files are renewed under the names
 * that they have, so the configuration alone does not tell whether anything changed.
 */
export function certificatesOf(config: ExportersConfig, env: Environment): string {
  const digest = createHash('sha256');
  for (const { tls } of resolveExporters(config, env).signals) {
    for (const file of [tls.ca, tls.cert, tls.key]) {
      if (file) digest.update(contentOf(file.path)).update('\0');
    }
  }
  return digest.digest('hex');
}

/** One that cannot be read is told when it is used. */
function contentOf(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch {
    return new Uint8Array();
  }
}
