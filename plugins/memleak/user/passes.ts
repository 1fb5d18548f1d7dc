import { Columns } from '../../../core/bpf/columns.js';
import type { BpfLink, BpfObject, MappedArray } from '../../../core/bpf/host.js';
import type { Scope } from '../../../core/scope.js';

/** The programs that visit every live allocation, or every thread, when they are asked to. */
export class Passes {
  readonly #live: BpfLink;
  readonly #threads: BpfLink;
  readonly #inherit: BpfLink;
  readonly #memory: MappedArray;
  readonly #at: (member: string) => number;

  constructor(object: BpfObject, scope: Scope) {
    this.#live = scope.use(object.attach('visit_live', { map: 'live' }));
    this.#threads = scope.use(object.attach('visit_threads', { map: 'threads' }));
    this.#inherit = scope.use(object.attach('inherit', { map: 'live' }));
    this.#memory = scope.use(object.map('pass').mapped());
    const layout = object.layout('ml_pass');
    const rows = new Columns(layout).bind(this.#memory.bytes, this.#memory.stride);
    this.#at = (member) => rows.column(member).at(0);
    this.#offset = (member) => layout.fields.find(({ name }) => name === member)?.offset ?? 0;
  }

  readonly #offset: (member: string) => number;

  /**
   * Removes what belongs to nobody that is followed; with `now` (CLOCK_MONOTONIC ns) it also sums up
   * ages. Gives how many allocations there are.
   */
  live(now?: number): number {
    this.#memory.bytes.fill(0);
    this.#set64('now', now ?? 0);
    this.#live.readAll();
    return this.#at('kept');
  }

  /** Removes threads of nobody that is followed; sums up what the others count. */
  threads(): void {
    this.#threads.readAll();
  }

  /** Copies what one target has to another; gives how many found no room. */
  inherit(from: number, to: number): number {
    this.#memory.bytes.fill(0);
    this.#set32('from', from);
    this.#set32('to', to);
    this.#inherit.readAll();
    return this.#at('missed');
  }

  #set64(member: string, value: number): void {
    this.#view.setBigUint64(this.#offset(member), BigInt(value), true);
  }

  #set32(member: string, value: number): void {
    this.#view.setUint32(this.#offset(member), value, true);
  }

  get #view(): DataView {
    const { buffer, byteOffset, byteLength } = this.#memory.bytes;
    return new DataView(buffer, byteOffset, byteLength);
  }
}
