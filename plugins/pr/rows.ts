import type { BpfObject, MappedArray } from '../../core/bpf/host.js';
import { type RecordDecoder, recordDecoder } from '../../core/bpf/record.js';
import type { Scope } from '../../core/scope.js';

/** All elements of a small mapped array of structs. */
export class Rows<Row> {
  readonly #mapped: MappedArray;
  readonly #decoder: RecordDecoder<Row>;

  constructor(object: BpfObject, scope: Scope, map: string, struct: string) {
    this.#mapped = scope.use(object.map(map).mapped());
    this.#decoder = recordDecoder<Row>(object.layout(struct)) as RecordDecoder<Row>;
  }

  read(): Row[] {
    // Copied first: a value that is being written is whole in a copy of words, not in two reads.
    return this.#decoder.decodeAll(this.#mapped.bytes.slice());
  }
}
