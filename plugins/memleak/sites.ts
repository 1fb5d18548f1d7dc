/**
 * Allocation sites: what is judged as one. A compiler at run time moves the code of one line as it
 * optimizes it, so stacks of a process that differ only in such code, and in what called it, are one
 * site: the native frames up to it. All others are sites of their own.
 */
import type { MappedModule, ProcessMap } from '../../core/symbolize/symbolizer.js';
import type { Ages, Reading } from './model.js';
import { siteId } from './output/stack-id.js';
import type { CodeRange } from './user/user-watch.js';

/** What was counted, of stacks that hold nothing any more. */
type Counted = Pick<Reading, 'allocatedBytes' | 'allocatedCount' | 'freedBytes' | 'freedCount'>;

interface Site {
  readonly id: string;
  readonly frames: number;
  /** By key, as they were read last. */
  readonly stacks: Map<string, Reading>;
  gone: Counted;
  firstSeen: number;
}

/** Sites; of more, those that hold nothing begin anew when they come again. */
const KEPT = 4096;

const NOTHING: Counted = { allocatedBytes: 0, allocatedCount: 0, freedBytes: 0, freedCount: 0 };

/** Of one process. Cheap where nothing is compiled at run time: then readings are left as they are. */
export class Sites {
  readonly #sites = new Map<string, Site>();
  /** By key of a stack; undefined of one that is a site of its own. */
  readonly #known = new Map<string, Site | undefined>();

  /** The readings of one round: a stack of which none comes any more has no part in its site. */
  take(readings: readonly Reading[], { map, interpreters }: Code): readonly Reading[] {
    if (!map) return readings;
    const isMoving = movingCode(map, interpreters);
    const present = new Map<string, Reading>();
    const own: Reading[] = [];
    for (const reading of readings) {
      present.set(reading.key, reading);
      const site = this.#siteOf(reading, map, isMoving);
      if (site) site.stacks.set(reading.key, reading);
      else own.push(reading);
    }
    for (const key of this.#known.keys()) if (!present.has(key)) this.#known.delete(key);
    for (const [id, site] of this.#sites) {
      retire(site, present);
      const [first] = site.stacks.values();
      if (first) own.push(joined(site, first));
      else if (this.#sites.size > KEPT) this.#sites.delete(id);
    }
    return own;
  }

  #siteOf(reading: Reading, map: ProcessMap, isMoving: IsMoving): Site | undefined {
    if (this.#known.has(reading.key)) return this.#known.get(reading.key);
    const site = this.#find(reading, map, isMoving);
    this.#known.set(reading.key, site);
    return site;
  }

  #find({ frames, firstSeen }: Reading, map: ProcessMap, isMoving: IsMoving): Site | undefined {
    const native = frames.findIndex(isMoving);
    const isOwn = native <= 0 && frames.every((address) => map.find(address) !== undefined);
    if (isOwn) return undefined;
    const common = native > 0 ? native : frames.length;
    const id = siteId(map, frames, common);
    const known = this.#sites.get(id);
    if (known) return known;
    const site = { id, frames: common, stacks: new Map(), gone: NOTHING, firstSeen };
    this.#sites.set(id, site);
    return site;
  }
}

interface Code {
  /** Absent where nothing is known of its code. */
  readonly map?: ProcessMap;
  readonly interpreters: readonly CodeRange[];
}

type IsMoving = (address: bigint) => boolean;

/** Whether the code at an address is made at run time, or runs such; what is in no map yet, where there is any. */
function movingCode(map: ProcessMap, interpreters: readonly CodeRange[]): IsMoving {
  const isCompiling = interpreters.length > 0 || map.modules.some(isCompiled);
  if (!isCompiling) return () => false;
  return (address) => {
    const module = map.find(address);
    if (!module || isCompiled(module)) return true;
    return interpreters.some(({ start, end }) => address >= start && address < end);
  };
}

/** Code in no file: what a compiler at run time has made, or a trampoline. */
export const isCompiled = ({ path, inode }: MappedModule): boolean =>
  path.startsWith('/memfd:') || (inode === 0 && !/^\[(vdso|vsyscall|uprobes)\]$/.test(path));

/** What came no more is kept as figures alone; who holds something was taken from us with its process. */
function retire(site: Site, present: ReadonlyMap<string, Reading>): void {
  for (const [key, reading] of site.stacks) {
    if (present.has(key)) continue;
    site.stacks.delete(key);
    if (reading.allocations === 0 && reading.bytes === 0) site.gone = sum(site.gone, reading);
  }
}

const sum = (a: Counted, b: Counted): Counted => ({
  allocatedBytes: a.allocatedBytes + b.allocatedBytes,
  allocatedCount: a.allocatedCount + b.allocatedCount,
  freedBytes: a.freedBytes + b.freedBytes,
  freedCount: a.freedCount + b.freedCount,
});

/** Its frames are those of the stack that holds the most. */
function joined({ id, frames, stacks, gone, firstSeen }: Site, first: Reading): Reading {
  const all = [...stacks.values()];
  const counted = all.reduce(sum, gone);
  const largest = all.reduce((most, one) => (one.bytes > most.bytes ? one : most), first);
  const variance = all.reduce((total, { bytesError }) => total + bytesError ** 2, 0);
  const ages = all.flatMap((one) => one.ages ?? []);
  const { reach: _, ages: __, ...example } = largest;
  return {
    ...example,
    ...counted,
    ...reachOf(all),
    ...(ages.length === all.length && { ages: ages.reduce(older) }),
    key: `site ${id} of ${first.source.kind === 'process' ? first.source.pid : 'kernel'}`,
    site: { id, frames },
    bytes: all.reduce((total, { bytes }) => total + bytes, 0),
    allocations: all.reduce((total, { allocations }) => total + allocations, 0),
    bytesError: Math.sqrt(variance),
    firstSeen: Math.min(firstSeen, ...all.map((one) => one.firstSeen)),
  };
}

const older = (a: Ages, b: Ages): Ages => ({
  oldest: Math.max(a.oldest, b.oldest),
  allocations: a.allocations.map((count, n) => count + (b.allocations[n] ?? 0)),
  bytes: a.bytes.map((count, n) => count + (b.bytes[n] ?? 0)),
});

/** What scans say of all of them. */
function reachOf(all: readonly Reading[]): Pick<Reading, 'reach'> {
  const reaches = all.flatMap(({ reach }) => reach ?? []);
  const [first, ...rest] = reaches;
  if (!first) return {};
  const reach = rest.reduce(
    (a, b) => ({
      time: Math.min(a.time, b.time),
      lost: a.lost + b.lost,
      lostBytes: a.lostBytes + b.lostBytes,
      lostRecords: a.lostRecords + b.lostRecords,
      reached: a.reached + b.reached,
      reachedBytes: a.reachedBytes + b.reachedBytes,
      isHidden: a.isHidden || b.isHidden,
    }),
    first,
  );
  return { reach };
}
