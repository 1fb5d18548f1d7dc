import type { BpfObject, MappedArray } from '../../core/bpf/host.js';
import { LiveArray } from '../../core/bpf/live-columns.js';
import { type RecordDecoder, recordDecoder } from '../../core/bpf/record.js';
import type { Scope } from '../../core/scope.js';

/** All elements of a small mapped array of structs. */
export class Rows<Row> {
  readonly #mapped: MappedArray;
  readonly #live: LiveArray;
  readonly #decoder: RecordDecoder<Row>;

  constructor(object: BpfObject, scope: Scope, map: string, struct: string) {
    this.#mapped = scope.use(object.map(map).mapped());
    this.#live = new LiveArray(this.#mapped);
    this.#decoder = recordDecoder<Row>(object.layout(struct)) as RecordDecoder<Row>;
  }

  read(): Row[] {
    return this.#decoder.decodeAll(this.#live.copy(0, this.#mapped.bytes.length));
  }
}
