/**
 * Files at which the symbol reader failed. That need not be the file's fault, so each is read again;
 * but one that makes every reader fail must not keep the others from being read.
 */
export class ReaderFailures {
  /** By file, the oldest failure first. */
  readonly #known = new Map<string, Failures>();

  constructor(
    /** ms; doubles with each failure after the second. */
    private readonly pause: number,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** Why the file is not read at the moment; undefined if it may be. */
  of(file: string): string | undefined {
    const { count, notBefore, last } = this.#known.get(file) ?? NONE;
    const wait = notBefore - this.clock();
    if (wait <= 0) return undefined;
    return `${last} (${count} times at this file; next attempt in ${Math.ceil(wait / 1000)} s)`;
  }

  add(file: string, last: string): void {
    const count = (this.#known.get(file)?.count ?? 0) + 1;
    const pause = count < FREE ? 0 : Math.min(this.pause * 2 ** (count - FREE), LONGEST_PAUSE);
    this.#known.delete(file);
    this.#known.set(file, { count, notBefore: this.clock() + pause, last });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST && oldest !== undefined) this.#known.delete(oldest);
  }

  /** It was read. */
  clear(file: string): void {
    this.#known.delete(file);
  }
}

interface Failures {
  readonly count: number;
  readonly notBefore: number;
  readonly last: string;
}

const NONE: Failures = { count: 0, notBefore: 0, last: '' };
/** Failures until there is a pause: the first may be an accident. */
const FREE = 2;
const LONGEST_PAUSE = 3_600_000;
const MOST = 1024;
