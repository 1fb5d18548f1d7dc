import { closeSync, readSync } from 'node:fs';
import { MemWatcherError } from '../errors.js';
import type { BpfClosable, BpfLink } from './host.js';
import type { LibbpfApi, Pointer } from './libbpf-api.js';
import { errnoText } from './refusal.js';

const FIRST_BUFFER = 64 * 1024;
const EAGAIN = 11;

/** An attached program; closing detaches it. */
export class LibbpfLink implements BpfLink {
  readonly #api: LibbpfApi;
  readonly #isIterator: boolean;
  readonly #owned: Set<BpfClosable>;
  #pointer: Pointer | undefined;
  #buffer = new Uint8Array(0);

  constructor(
    api: LibbpfApi,
    readonly program: string,
    pointer: Pointer,
    isIterator: boolean,
    /** The object's: it detaches with itself what is still attached. */
    owned: Set<BpfClosable>,
  ) {
    this.#api = api;
    this.#pointer = pointer;
    this.#isIterator = isIterator;
    this.#owned = owned;
    owned.add(this);
  }

  readAll(step = Number.POSITIVE_INFINITY): Uint8Array {
    if (!this.#isIterator || this.#pointer === undefined) {
      throw this.#failed(this.#isIterator ? 'it is detached' : 'it is no iterator');
    }
    const fd = this.#api.createIterator(this.#api.linkFd(this.#pointer));
    if (fd < 0) throw this.#failed(errnoText(fd));
    try {
      const length = this.#readToEnd(fd, step);
      return this.#buffer.subarray(0, length);
    } finally {
      closeSync(fd);
    }
  }

  close(): void {
    if (this.#pointer === undefined) return;
    const pointer = this.#pointer;
    this.#pointer = undefined;
    this.#owned.delete(this);
    this.#buffer = new Uint8Array(0);
    const error = this.#api.destroyLink(pointer);
    if (error < 0) {
      const message = `cannot detach ${this.program}: ${errnoText(error)}`;
      throw new MemWatcherError('BPF_ATTACH_FAILED', message);
    }
  }

  #readToEnd(fd: number, step: number): number {
    for (let length = 0; ; ) {
      if (length === this.#buffer.length) {
        const larger = new Uint8Array(Math.max(FIRST_BUFFER, 2 * length));
        larger.set(this.#buffer);
        this.#buffer = larger;
      }
      const read = this.#read(fd, length, step);
      if (read === 0) return length;
      if (read > 0) length += read;
    }
  }

  /** Bytes read; -1 if the kernel wants to be asked again after many skipped objects. */
  #read(fd: number, at: number, step: number): number {
    try {
      return readSync(fd, this.#buffer, at, Math.min(step, this.#buffer.length - at), null);
    } catch (cause) {
      if (!(cause instanceof Error && 'errno' in cause)) throw cause;
      if (cause.errno === -EAGAIN) return -1;
      throw this.#failed(errnoText(Number(cause.errno)));
    }
  }

  #failed(why: string): MemWatcherError {
    const { program } = this;
    return new MemWatcherError('BPF_RUN_FAILED', `cannot read by ${program}: ${why}`, { program });
  }
}
