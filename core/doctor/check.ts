/**
 * One thing that `mem-watcher doctor` looked at. Gathering is here, in `core/doctor`, one file a
 * subject; `core/cli/doctor.ts` only shows it.
 */
import { readFileSync } from 'node:fs';

/** `warn`: it works, but something is worse than it could be. `skip`: it was not looked at. */
export type CheckStatus = 'ok' | 'warn' | 'fail' | 'skip';

export interface Check {
  /** Stable: scripts match on it. Parts are joined by dots, as in `plugin.sysstat`. */
  readonly check: string;
  readonly status: CheckStatus;
  /** What was found, in a few words. */
  readonly value: string;
  /** What it means, where that is not plain; may have several lines. */
  readonly detail?: string | undefined;
  /** What to do about it: a command wherever one will do. */
  readonly hint?: string | undefined;
  /** Of a plugin: what this kernel does not give it; no fault of anybody. */
  readonly lacks?: readonly string[];
  /** Of a plugin that was started: by part of its profile the choice in use, null for none. */
  readonly parts?: Readonly<Record<string, string | null>>;
}

/** Reads a text file, trimmed; throws what reading throws. Tests put their own world here. */
export type ReadText = (path: string) => string;

export const readText: ReadText = (path) => readFileSync(path, 'utf8').trim();

/** A file's text, or the errno code for which it cannot be read. */
export function tryRead(read: ReadText, path: string): { text: string } | { code: string } {
  try {
    return { text: read(path) };
  } catch (error) {
    return { code: (error as NodeJS.ErrnoException).code ?? 'EIO' };
  }
}
