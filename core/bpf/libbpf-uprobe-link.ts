import { MemWatcherError } from '../errors.js';
import type { BpfClosable, BpfLink } from './host.js';
import type { Detach } from './libbpf-uprobe.js';
import { errnoText } from './refusal.js';

/** Functions of one file that are probed; closing detaches all of them. */
export class UprobeLink implements BpfLink {
  readonly #owned: Set<BpfClosable>;
  #detach: Detach | undefined;

  constructor(
    readonly program: string,
    detach: Detach,
    /** The object's: it detaches with itself what is still attached. */
    owned: Set<BpfClosable>,
  ) {
    this.#detach = detach;
    this.#owned = owned;
    owned.add(this);
  }

  readAll(): Uint8Array {
    const message = `cannot read by ${this.program}: it is no iterator`;
    throw new MemWatcherError('BPF_RUN_FAILED', message);
  }

  close(): void {
    this.#check(this.#take()?.now() ?? 0);
  }

  async closeSoon(): Promise<void> {
    this.#check((await this.#take()?.soon()) ?? 0);
  }

  /** Once. */
  #take(): Detach | undefined {
    const detach = this.#detach;
    this.#detach = undefined;
    this.#owned.delete(this);
    return detach;
  }

  #check(error: number): void {
    if (error >= 0) return;
    const message = `cannot detach ${this.program}: ${errnoText(error)}`;
    throw new MemWatcherError('BPF_ATTACH_FAILED', message);
  }
}
