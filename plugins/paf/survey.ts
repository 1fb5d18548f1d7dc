import type { BpfObject, MappedArray } from '../../core/bpf/host.js';
import { LiveArray } from '../../core/bpf/live-columns.js';
import { type RecordDecoder, recordDecoder } from '../../core/bpf/record.js';
import { MemWatcherError } from '../../core/errors.js';
import { type NodeZones, zoneOf } from '../../core/memory/zones.js';
import type { PafNode } from './events.gen.js';

/** The zones of all nodes, read when asked for: the map `nodes`, filled by the program `survey`. */
export class Survey {
  readonly #run: () => number;
  readonly #mapped: MappedArray;
  readonly #record: RecordDecoder<PafNode>;
  readonly #pageSize: number;

  /** `run`: the program's. */
  constructor(object: BpfObject, run: () => number, mapped: MappedArray, pageSize: number) {
    this.#run = run;
    this.#mapped = mapped;
    this.#record = recordDecoder<PafNode>(object.layout('paf_node'));
    this.#pageSize = pageSize;
  }

  /** BPF_RUN_FAILED if no node can be found on this kernel. */
  take(): NodeZones[] {
    if (this.#run() === 0) {
      throw new MemWatcherError('BPF_RUN_FAILED', 'no NUMA node was found', {
        hint: 'switch the metrics memwatcher.memory.zone.* of paf off',
      });
    }
    const { stride, entries } = this.#mapped;
    const live = new LiveArray(this.#mapped);
    const { size } = this.#record.layout;
    const nodes = Array.from({ length: entries }, (_, id) => ({
      id,
      record: this.#record.decode(new DataView(live.copy(id * stride, size).buffer), 0, size),
    }));
    // A node that went away keeps the slot of its last survey.
    const newest = Math.max(...nodes.map(({ record }) => record.read_at));
    return nodes
      .filter(({ record }) => record.read_at === newest)
      .map(({ id, record }) => {
        return { id, zones: record.zones.flatMap((zone) => zoneOf(zone, this.#pageSize) ?? []) };
      });
  }
}
