import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { describeError } from '../../../core/errors.js';
import type { Logger } from '../../../core/logger.js';
import { type SavedJudge, savedJudge } from './saved.js';

/** More is not read: 500 stacks take 4 MiB. */
const MOST_BYTES = 32 * 1024 * 1024;

/**
 * Where a judge is kept over a restart of the agent. It is a help, no truth: what cannot be read is
 * told of once and the judge begins anew; what cannot be written likewise.
 */
export class JudgeFile {
  #complained = false;

  constructor(
    private readonly path: string,
    private readonly logger: Logger,
    private readonly boot = bootId(),
  ) {}

  load(): SavedJudge | undefined {
    try {
      const file = openSync(this.path, constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        const { size } = fstatSync(file);
        if (size > MOST_BYTES) throw new Error(`it has ${size} bytes`);
        const saved = savedJudge.parse(JSON.parse(readFileSync(file, 'utf8')));
        return saved.boot === this.boot ? saved : undefined;
      } finally {
        closeSync(file);
      }
    } catch (error) {
      if (!isMissing(error)) this.#complain(error, 'cannot be read; leaks are judged anew');
      return undefined;
    }
  }

  /** All of it or nothing: a reader never sees half. */
  save(saved: SavedJudge): void {
    const temporary = `${this.path}.new`;
    try {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
      rmSync(temporary, { force: true });
      const file = openSync(temporary, 'wx', 0o600);
      try {
        writeFileSync(file, JSON.stringify({ ...saved, boot: this.boot }));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, this.path);
    } catch (error) {
      this.#complain(error, 'cannot be written; leaks are judged anew after a restart');
    }
  }

  #complain(error: unknown, what: string): void {
    if (this.#complained) return;
    this.#complained = true;
    this.logger.warn({ file: this.path, error: describeError(error) }, `${this.path} ${what}`);
  }
}

const bootId = () => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';
