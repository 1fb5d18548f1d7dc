/** Gathers records for a moment, so that a burst goes out in few requests. */
export class RecordQueue<T> {
  readonly #send: (records: T[]) => void;
  readonly #maxRecords: number;
  readonly #delay: number;
  #records: T[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** Sends when `maxRecords` are there, or `delay` ms after the first. */
  constructor(send: (records: T[]) => void, maxRecords = 512, delay = 1000) {
    this.#send = send;
    this.#maxRecords = maxRecords;
    this.#delay = delay;
  }

  push(record: T): void {
    this.#records.push(record);
    if (this.#records.length >= this.#maxRecords) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), this.#delay).unref();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#records.length > 0) this.#send(this.#records.splice(0));
  }
}
