import { constants, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { describeError, errnoCode } from '../../../core/errors.js';
import type { Logger } from '../../../core/logger.js';
import type { Health } from '../../../core/plugin.js';
import type { Closable } from '../../../core/scope.js';
import { StateFile } from '../../../core/state-file.js';
import { type SavedJudge, type SavedStack, savedFrame, savedStack } from './saved.js';

/** Bytes; a larger file is not read, for parsing holds up the event loop. */
const MAX_READ = 5 << 20;
/** Bytes; the least suspicious stacks are left out of a larger file. 500 stacks take up to 4 MiB. */
const MAX_STACKS = 4 << 20;
/** Stacks that are checked in one turn of the event loop. */
const CHECKED = 16;
const CONDITION = 'state_file';

export interface JudgeFileOptions {
  readonly logger: Pick<Logger, 'warn'>;
  readonly health: Pick<Health, 'degraded' | 'clear'>;
  readonly boot?: string;
  readonly maxStackBytes?: number;
}

/**
 * Where a judge is kept over a restart of the agent. It is a help, no truth: a file that cannot be
 * read is logged, and the judge begins anew; one that cannot be written degrades the plugin until
 * it can.
 */
export class JudgeFile implements Closable {
  readonly #file: StateFile;
  readonly #options: Required<JudgeFileOptions>;
  #last: Promise<void> = Promise.resolve();
  #failures = 0;

  constructor(
    path: string,
    { boot = bootId(), maxStackBytes = MAX_STACKS, ...others }: JudgeFileOptions,
  ) {
    this.#file = new StateFile(path);
    this.#options = { boot, maxStackBytes, ...others };
  }

  async load(): Promise<SavedJudge | undefined> {
    try {
      await this.#file.removeLeftovers();
      const saved = await this.#read();
      return saved.boot === this.#options.boot ? saved : undefined;
    } catch (error) {
      if (errnoCode(error) !== 'ENOENT') this.#cannotRead(error);
      return undefined;
    }
  }

  /**
   * Begins to write what `take` gives once the write before has ended; of several that wait the
   * latest is written. Resolves when that is done, well or not.
   */
  save(take: () => SavedJudge): Promise<void> {
    const { boot, maxStackBytes } = this.#options;
    const content = () => textOf({ ...take(), boot }, maxStackBytes);
    this.#last = this.#file.write(content).then(
      () => this.#options.health.clear(CONDITION),
      (error: unknown) => this.#cannotWrite(error),
    );
    return this.#last;
  }

  /** Waits for the last write. */
  close(): Promise<void> {
    return this.#last;
  }

  async #read(): Promise<SavedJudge> {
    const file = await open(this.#file.path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const { size } = await file.stat();
      if (size > MAX_READ) throw new Error(`it has ${size} bytes`);
      return await checked(JSON.parse(await file.readFile('utf8')));
    } finally {
      await file.close();
    }
  }

  #cannotRead(error: unknown): void {
    const { path } = this.#file;
    const message = `cannot read ${path}: leaks are judged anew`;
    this.#options.logger.warn({ file: path, error: describeError(error) }, message);
  }

  #cannotWrite(error: unknown): void {
    this.#failures++;
    this.#options.health.degraded(
      CONDITION,
      `cannot save verdicts, failed ${this.#failures} times: ${describeError(error)}; until it works ` +
        'a restart judges leaks anew; check plugins.memleak.state_dir',
    );
  }
}

async function checked(json: unknown): Promise<SavedJudge> {
  const { stacks: unchecked, ...others } = savedFrame.parse(json);
  const stacks: SavedStack[] = [];
  for (const [n, stack] of unchecked.entries()) {
    if (n % CHECKED === CHECKED - 1) await setImmediate();
    stacks.push(savedStack.parse(stack));
  }
  return { ...others, stacks };
}

/** JSON, stack by stack: all of them at once would hold up the event loop. */
function* textOf({ stacks, ...others }: SavedJudge, maxBytes: number): Generator<string> {
  yield `${JSON.stringify(others).slice(0, -1)},"stacks":[`;
  let bytes = 0;
  for (const [n, stack] of stacks.entries()) {
    const text = JSON.stringify(stack);
    bytes += Buffer.byteLength(text);
    if (bytes > maxBytes) break;
    yield n === 0 ? text : `,${text}`;
  }
  yield ']}';
}

const bootId = () => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
