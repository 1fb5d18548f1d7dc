import { Columns } from '../../core/bpf/columns.js';
import type { BpfObject, RingReader } from '../../core/bpf/host.js';
import { type RecordDecoder, recordDecoder } from '../../core/bpf/record.js';
import type { Who, WhoRecord } from '../../core/identity/who.js';
import { atLeast0, watermarksOf } from '../../core/memory/zones.js';
import type { PafAttempt } from './events.gen.js';
import type { Attempt } from './records.js';

/** enum paf_known */
const ENDED = 64;
/** Rows of the live view. */
const KEPT = 500;

export interface AttemptsOptions {
  readonly unix: (ns: number) => number;
  readonly who: (record: WhoRecord) => Who;
  readonly wanted: (record: WhoRecord) => boolean;
  readonly describe: (gfp: number) => string;
  readonly decodeErrors: (count: number) => void;
}

/** The part `attempts`: allocations as they pass, as many as the kernel lets through. */
export class Attempts {
  readonly #object: BpfObject;
  readonly #ring: RingReader;
  readonly #record: RecordDecoder<PafAttempt>;
  readonly #options: AttemptsOptions;
  readonly #list: Attempt[] = [];

  /** `ring` is of the map `attempts` of `object`. */
  constructor(object: BpfObject, ring: RingReader, options: AttemptsOptions) {
    this.#object = object;
    this.#ring = ring;
    this.#record = recordDecoder<PafAttempt>(object.layout('paf_attempt'));
    this.#options = options;
  }

  /** The last, oldest first. */
  get list(): readonly Attempt[] {
    return [...this.#list];
  }

  /** Attempts that the rate bound kept back, since the start. */
  get suppressed(): number {
    const perCpu = this.#object.map('passages').lookup(new Uint8Array(4));
    if (!perCpu) return 0;
    const columns = new Columns(this.#object.layout('paf_passage')).bind(perCpu);
    const suppressed = columns.column('suppressed');
    let sum = 0;
    for (let cpu = 0; cpu < columns.rows; cpu++) sum += suppressed.at(cpu);
    return sum;
  }

  /** Takes what the ring has. */
  drain(): void {
    this.#ring.drain((view, offset, length) => {
      try {
        const record = this.#record.decode(view, offset, length);
        if (this.#options.wanted(record.who)) this.#list.push(this.#attemptOf(record));
      } catch {
        this.#options.decodeErrors(1);
      }
    });
    this.#list.splice(0, this.#list.length - KEPT);
  }

  #attemptOf(record: PafAttempt): Attempt {
    const { unix, who, describe } = this.#options;
    const { gfp, order, zone } = record;
    return {
      time: unix(record.time),
      requester: who(record.who),
      order,
      gfp,
      flags: describe(gfp),
      migrateType: record.migrate_type,
      node: record.node,
      failed: (record.known & ENDED) === 0 ? undefined : record.failed !== 0,
      zone: {
        name: zone.name,
        ...watermarksOf(zone),
        present: zone.present,
        managed: zone.managed,
        free: atLeast0(zone.free),
      },
    };
  }
}
