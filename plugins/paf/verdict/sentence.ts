/** A verdict in words, with its figures. */
import { formatBytes, formatCount } from '../../../core/cli/format.js';
import type { Failure } from '../failure.js';
import type { Reclaim } from './reclaim.js';
import type { Verdict, VerdictContext } from './verdict.js';

type Found = Omit<Verdict, 'sentence'>;

export function sentenceOf(found: Found, failure: Failure, context: VerdictContext): string {
  const words = new Words(found, failure, context);
  const parts = [words[found.reason](), words.elsewhere()];
  return parts.filter((part) => part !== '').join(' ');
}

class Words {
  readonly #found: Found;
  readonly #failure: Failure;
  readonly #context: VerdictContext;

  constructor(found: Found, failure: Failure, context: VerdictContext) {
    this.#found = found;
    this.#failure = failure;
    this.#context = context;
  }

  below_watermark(): string {
    const must = `${this.#room()}, and more than ${this.#mark()} must be.`;
    return `Below the watermark: ${must}${this.#reclaim()}`;
  }

  no_reclaim(): string {
    return this.below_watermark();
  }

  cma_only(): string {
    const { zone, usable } = this.#found;
    return (
      `Only CMA is free: ${this.#where()} has ${this.#size(zone?.free)} free, ` +
      `${this.#size(zone?.freeCma)} of it in CMA areas, which this request may not take; ` +
      `${this.#size(usable)} count for it, and more than ${this.#mark()} must be.`
    );
  }

  highatomic_only(): string {
    const { zone } = this.#found;
    const reserved = zone?.freeHighatomic ?? zone?.reservedHighatomic;
    return (
      `Only the reserve for atomic requests of higher orders is free: ${this.#room()}, and more than ` +
      `${this.#mark()} must be; up to ${this.#size(reserved)} of it are reserved and not for this request.`
    );
  }

  fragmentation(): string {
    return (
      `Fragmented: ${this.#room()}, more than the ${this.#mark()} that must be, ` +
      `but no block of ${this.#block(this.#found.order)} that this request may take; ${this.#largest()}.`
    );
  }

  memcg_limit(): string {
    const { memcg, order } = this.#found;
    if (!memcg) return '';
    const { cgroupId, chargedId, counter, usage, limit } = memcg;
    const charged =
      cgroupId === chargedId
        ? ''
        : ` The request is charged to cgroup ${this.#cgroup(chargedId)} below it.`;
    return (
      `Cgroup ${this.#cgroup(cgroupId)} is at its limit: ${this.#size(usage)} of ${this.#size(limit)} ` +
      `used (${COUNTERS[counter]}), no room for ${this.#size(2 ** order)} more.${charged}`
    );
  }

  no_zone(): string {
    const { zones, highestZone, node } = this.#failure;
    const highest = zones.find(({ index }) => index === highestZone)?.name;
    const asked = highest === undefined ? 'asked for' : `asked for (${highest} or lower)`;
    return `No zone of the kind ${asked} has memory on node ${node}.`;
  }

  unknown(): string {
    const { zone } = this.#found;
    if (!zone) return 'What there was could not be read.';
    const block = this.#found.order > 0 ? `, ${this.#largest()}` : '';
    return (
      `Not explained by what was seen: ${this.#room()}, more than the ${this.#mark()} that must be${block}. ` +
      'Memory may have been freed in between, or the request was bound to other nodes.'
    );
  }

  /** Of other nodes, what does not fit the verdict. */
  elsewhere(): string {
    const { otherNodes, node } = this.#failure;
    if (!this.#found.zone) return '';
    const refused = this.#found.reason !== 'unknown';
    const odd = otherNodes.filter(({ free, needed }) => free > needed === refused);
    if (odd.length === 0) return '';
    const names = odd.map(({ id }) => id).join(', ');
    return refused
      ? `Node ${names} had room: the request was bound to node ${node}, by its flags, a cpuset or a memory policy.`
      : `Node ${names} was short of memory: the request may have been bound to it.`;
  }

  #where(): string {
    const { zone, node } = this.#found;
    return zone ? `zone ${zone.name} of node ${node}` : `the roomiest zone of node ${node}`;
  }

  #room(): string {
    const { zone, other, usable = 0 } = this.#found;
    const pages = zone?.free ?? other?.free;
    const shown = usable === pages ? this.#beside(pages) : this.#size(pages);
    const free = `${this.#where()} has ${shown} free`;
    return usable === pages
      ? free
      : `${free}, of which ${this.#beside(usable)} count for this request`;
  }

  #mark(): string {
    return this.#beside(this.#found.mark);
  }

  /** A size that is compared: to the page where the two would read the same. */
  #beside(pages: number | undefined): string {
    const { usable, mark } = this.#found;
    if (pages === undefined || usable === mark || this.#size(usable) !== this.#size(mark)) {
      return this.#size(pages);
    }
    return `${formatCount((Math.max(0, pages) * this.#context.pageSize) / 1024)} KiB`;
  }

  #largest(): string {
    const { largestOrder } = this.#found;
    return largestOrder === undefined
      ? 'no block that it may take is free'
      : `the largest has ${this.#block(largestOrder)}`;
  }

  #reclaim(): string {
    const { reclaim } = this.#found;
    if (!reclaim) return '';
    return ` ${RECLAIM[reclaim.outcome](this.#size(reclaim.reclaimable), reclaim)}`;
  }

  #block(order: number): string {
    return `${this.#size(2 ** order)} (order ${order})`;
  }

  #cgroup(id: number): string {
    const { memcg } = this.#found;
    return this.#context.cgroupName?.(id, memcg?.v1 === true) ?? `with id ${id}`;
  }

  #size(pages: number | undefined): string {
    const bytes = pages === undefined ? undefined : Math.max(0, pages) * this.#context.pageSize;
    return formatBytes(bytes);
  }
}

const COUNTERS = { memory: 'memory', memsw: 'memory and swap', kmem: 'kernel memory' } as const;

const RECLAIM = {
  forbidden: () => 'This request may not wait for reclaim: it depends on what kswapd keeps free.',
  reclaiming: () => 'This request is part of reclaim and cannot reclaim for itself.',
  nothing: (size, { withAnon }) =>
    `Even all that it may reclaim, ${size} of ${withAnon ? 'file and anonymous' : 'file'} pages, ` +
    'would not have been enough.',
  not_enough: (size) => `It may reclaim (at most ${size}), and that did not free enough.`,
} as const satisfies Record<Reclaim['outcome'], (size: string, reclaim: Reclaim) => string>;
