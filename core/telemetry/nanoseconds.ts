import type { HrTime } from '@opentelemetry/api';

/** The last time of its kind in ns, by halves of 32 bits: neighbours mostly share it. */
export class Nanoseconds {
  low = 0;
  high = 0;
  #time: HrTime | undefined;

  /** They pass 2^53 since 1970, so the seconds are multiplied in two parts. */
  set(time: HrTime): void {
    if (time === this.#time) return;
    this.#time = time;
    const [seconds, nanoseconds] = time;
    const above = Math.floor(seconds / 0x10000) * 1e9;
    const below = (seconds % 0x10000) * 1e9 + nanoseconds;
    const low = (above % 0x10000) * 0x10000 + (below % 2 ** 32);
    this.low = low % 2 ** 32;
    this.high =
      Math.floor(above / 0x10000) + Math.floor(below / 2 ** 32) + Math.floor(low / 2 ** 32);
  }
}
