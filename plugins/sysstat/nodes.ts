import { readFileSync } from 'node:fs';
import type { MappedArray } from '../../core/bpf/host.js';
import type { StructLayout } from '../../core/bpf/layout.js';
import { LiveArray } from '../../core/bpf/live-columns.js';
import { MemWatcherError } from '../../core/errors.js';

/** A write takes microseconds; who meets it this often in a row has met something else. */
const ATTEMPTS = 1000;

/** The map `nodes`, live: the kernel may write while it is read. */
export class NodeSlots {
  readonly #mapped: MappedArray;
  readonly #live: LiveArray;
  readonly #size: number;
  readonly #begun: number;
  readonly #ended: number;

  constructor(mapped: MappedArray, layout: StructLayout) {
    this.#mapped = mapped;
    this.#live = new LiveArray(mapped);
    this.#size = layout.size;
    this.#begun = offsetOf(layout, 'begun');
    this.#ended = offsetOf(layout, 'ended');
  }

  /** Whole copies by node number; `undefined` for one that was being written all the time. */
  copy(): (Uint8Array | undefined)[] {
    return Array.from({ length: this.#mapped.entries }, (_, index) =>
      this.#copySlot(index * this.#mapped.stride),
    );
  }

  /** Nothing was written meanwhile if as many writes had ended before as had begun after. */
  #copySlot(at: number): Uint8Array | undefined {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const ended = this.#live.u64(at + this.#ended);
      const copy = this.#live.copy(at, this.#size);
      if (this.#live.u64(at + this.#begun) === ended) return copy;
    }
    return undefined;
  }
}

function offsetOf(layout: StructLayout, name: string): number {
  const field = layout.fields.find((one) => one.name === name);
  if (field !== undefined) return field.offset;
  throw new MemWatcherError('LAYOUT_INVALID', `struct ${layout.name} has no ${name}`, {
    hint: 'the BPF object and the agent are of different builds: build both again',
  });
}

/** Bytes of a transparent huge page; 0 where the kernel has none. */
export function hugePageSize(
  text = readOptional('/sys/kernel/mm/transparent_hugepage/hpage_pmd_size'),
): number {
  return Number(text ?? 0);
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
