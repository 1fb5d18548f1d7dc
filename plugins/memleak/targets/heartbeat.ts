/**
 * Whether a target's probes can be believed: who runs and takes memory, and yields no hit for a
 * while, is not seen. Who sleeps, or works in memory that it has, owes none. Pure.
 */
export interface Pulse {
  /** Monotonic, seconds. */
  readonly time: number;
  /** Of its probes, since it is followed. */
  readonly hits: number;
  /** Of all its threads, seconds. */
  readonly cpu: number;
  /** Resident anonymous memory, and private writable mappings: bytes. */
  readonly rssAnon: number;
  readonly data: number;
}

export interface HeartbeatOptions {
  /** Seconds without a hit before anything is said. */
  readonly patience: number;
  /** CPU seconds that it has to have used in the meantime. */
  readonly cpu: number;
  /** Bytes by which its memory has to have grown. */
  readonly growth: number;
}

const DEFAULTS: HeartbeatOptions = { patience: 10, cpu: 0.05, growth: 1 << 20 };

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  /** When the last hit was seen, or it began. */
  #last: Pulse | undefined;
  /** The least that it had since. */
  #floor = { rssAnon: 0, data: 0 };
  #reason: string | undefined;

  constructor(options: Partial<HeartbeatOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Why it is not seen; undefined while nothing speaks against it. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** Something was attached or executed: it begins anew. */
  reset(): void {
    this.#last = undefined;
    this.#reason = undefined;
  }

  beat(pulse: Pulse): void {
    const { rssAnon, data } = pulse;
    if (this.#last === undefined || pulse.hits !== this.#last.hits) {
      this.#last = pulse;
      this.#floor = { rssAnon, data };
      this.#reason = undefined;
      return;
    }
    this.#floor = {
      rssAnon: Math.min(rssAnon, this.#floor.rssAnon),
      data: Math.min(data, this.#floor.data),
    };
    // Once said it holds until a hit: memory that does not grow any more proves nothing.
    this.#reason ??= this.#judge(pulse, this.#last);
  }

  #judge(now: Pulse, last: Pulse): string | undefined {
    const silent = now.time - last.time;
    const ran = now.cpu - last.cpu;
    const grew = Math.max(now.rssAnon - this.#floor.rssAnon, now.data - this.#floor.data);
    const { patience, cpu, growth } = this.#options;
    if (silent < patience || ran < cpu || grew < growth) return undefined;
    const mebibytes = Math.floor(grew / (1 << 20));
    const seconds = Math.floor(silent);
    return last.hits === 0
      ? `it took ${mebibytes} MiB in ${seconds} s and none of its allocators was called: it has one of its own, or the probes do not fire`
      : `it took ${mebibytes} MiB in ${seconds} s without a call of its allocators, which were called before`;
  }
}
