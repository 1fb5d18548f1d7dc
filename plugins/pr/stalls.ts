import type { CgroupIdentity } from '../../core/identity/cgroup-paths.js';
import { attributesOfContainer } from '../../core/identity/who.js';
import type { PrCgroup } from './events.gen.js';
import { RECLAIM_TYPES, STALLING, type StallAttributes, type StallReport } from './reclaim.js';
import type { TableSnapshot } from './table.js';

interface Series {
  readonly attributes: StallAttributes;
  ns: number;
  episodes: number;
  readonly startTime: number;
  /** Collections since it was last added to, or its cgroup last seen. */
  unseen: number;
}

type Counted = Map<number, { readonly ns: number; readonly episodes: number }>;

/** Of what has no cgroup that can be named: removed before it was asked for, or no room for it. */
const OTHER = '';
/** A series ends when none of its cgroups was seen for so many collections. */
const PATIENCE = 3;

/** Where a row's cgroup is; undefined where that cannot be known. */
export type CgroupOf = (row: PrCgroup) => CgroupIdentity | undefined;

/**
 * Time that the threads of each cgroup waited for memory.
 *
 * It adds up differences, not slots: several slots can be of one series, and a cgroup can lose its
 * name or its slot, and yet no counter may fall.
 */
export class Stalls {
  readonly #series = new Map<string, Series>();
  /** By slot. */
  #counted: Counted = new Map();
  readonly #overflow: Counted = new Map();
  /** When it was last added to, Unix ms. */
  #addedAt = 0;

  constructor(private readonly cgroupOf: CgroupOf) {}

  add({ entries, overflow }: TableSnapshot<PrCgroup>, now: number): StallReport[] {
    const counted: Counted = new Map();
    for (const { slot, row, since } of entries) {
      if (!isStalling(row.key.type)) continue;
      const { ns, episodes } = row.figures;
      const before = this.#counted.get(slot);
      counted.set(slot, { ns, episodes });
      // What was there before is in another series.
      const began = before === undefined ? since : this.#addedAt;
      const { ns: nsBefore, episodes: episodesBefore } = before ?? { ns: 0, episodes: 0 };
      this.#grow(this.cgroupOf(row), began, ns - nsBefore, episodes - episodesBefore);
    }
    this.#counted = counted;
    for (const [type, { figures }] of overflow) {
      if (!isStalling(type)) continue;
      const before = this.#overflow.get(type) ?? { ns: 0, episodes: 0 };
      this.#overflow.set(type, figures);
      this.#grow(undefined, now, figures.ns - before.ns, figures.episodes - before.episodes);
    }
    this.#addedAt = now;
    return this.#report();
  }

  #grow(cgroup: CgroupIdentity | undefined, since: number, ns: number, episodes: number): void {
    const key = cgroup?.line ?? OTHER;
    const series = this.#series.get(key) ?? {
      attributes: cgroup
        ? { 'process.linux.cgroup': cgroup.line, ...attributesOfContainer(cgroup) }
        : { 'memwatcher.reclaim.other': true },
      ns: 0,
      episodes: 0,
      startTime: since,
      unseen: 0,
    };
    series.ns += ns;
    series.episodes += episodes;
    series.unseen = 0;
    this.#series.set(key, series);
  }

  #report(): StallReport[] {
    const reports: StallReport[] = [];
    for (const [key, series] of this.#series) {
      if (key !== OTHER && series.unseen++ > PATIENCE) this.#series.delete(key);
      const { attributes, ns, episodes, startTime } = series;
      reports.push({ attributes, ns, episodes, startTime });
    }
    return reports.toSorted((a, b) => b.ns - a.ns);
  }
}

const isStalling = (type: number) => STALLING.includes(RECLAIM_TYPES[type] ?? 'other');
