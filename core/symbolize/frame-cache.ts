/** Frames that were found, by file and address, as many as fit; the least recently asked for go. */
import type { FoundFrame } from './wire.js';

export class FrameCache {
  readonly #most: number;
  readonly #known = new Map<
    string,
    { readonly frames: readonly FoundFrame[]; readonly size: number }
  >();
  #size = 0;

  /** Bytes, about. */
  constructor(most: number) {
    this.#most = most;
  }

  get count(): number {
    return this.#known.size;
  }

  get size(): number {
    return this.#size;
  }

  get(key: string): readonly FoundFrame[] | undefined {
    const known = this.#known.get(key);
    if (known === undefined) return undefined;
    this.#known.delete(key);
    this.#known.set(key, known);
    return known.frames;
  }

  set(key: string, frames: readonly FoundFrame[]): void {
    const size = frames.reduce((sum, frame) => sum + sizeOf(frame), ENTRY + 2 * key.length);
    this.#drop(key);
    this.#known.set(key, { frames, size });
    this.#size += size;
    for (const oldest of this.#known.keys()) {
      if (this.#size <= this.#most) return;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#size -= this.#known.get(key)?.size ?? 0;
    this.#known.delete(key);
  }
}

const sizeOf = ({ name = '', file = '' }: FoundFrame) => FRAME + 2 * (name.length + file.length);
/** Of a Map's entry and an array, and of an object with its fields. */
const ENTRY = 150;
const FRAME = 100;
