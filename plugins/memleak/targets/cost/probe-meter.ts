/**
 * What a probe costs on this machine now: the agent calls its own libc, with probes and without. Other
 * links of the same functions, of other tools as well, are in the figure.
 */
import type { BpfLink } from '../../../../core/bpf/host.js';
import { libc } from '../../../../core/symbolize/libc.js';
import type { ProcessMap } from '../../../../core/symbolize/symbolizer.js';
import type { ProcessId } from '../../model.js';
import type { ProbedFile, ProbeSite, UserWatch } from '../../user/user-watch.js';
import { familyOf } from '../allocators.js';
import type { Images } from '../images.js';
import type { Job } from '../jobs.js';
import { type ProbeCost, probeCost } from './probe-cost.js';

export interface ProbeMeterOptions {
  readonly watch: Pick<UserWatch, 'attach' | 'strangerHits' | 'strategy'>;
  readonly images: Images;
  readonly readMap: (pid: number) => ProcessMap;
  /** The agent itself. */
  readonly self: ProcessId;
}

/** Pairs of malloc and free a round, and rounds, of which the quickest counts. */
const PAIRS = 200;
const ROUNDS = 7;
/** Seconds between two measurements. */
const EVERY = 60;
/** A target's calls do a little more than those of a process that nobody follows. */
const FOLLOWED = 1.2;
/** What is measured is between so many times what is assumed. */
const LEAST = 0.2;
const MOST = 50;

export class ProbeMeter {
  readonly #options: ProbeMeterOptions;
  readonly #assumed: ProbeCost;
  /** Seconds that a pair takes without probes. */
  readonly #bare: number;
  #cost: ProbeCost;
  #measuredAt = Number.NEGATIVE_INFINITY;

  constructor(options: ProbeMeterOptions) {
    this.#options = options;
    this.#assumed = probeCost(options.watch.strategy);
    this.#cost = this.#assumed;
    this.#bare = pairSeconds();
  }

  get cost(): ProbeCost {
    return this.#cost;
  }

  /** `time`: monotonic, seconds. Each perf event takes a tenth of a second to detach: those are measured once. */
  isDue(time: number): boolean {
    const isFirst = this.#measuredAt === Number.NEGATIVE_INFINITY;
    return isFirst || (this.#options.watch.strategy !== 'perf' && time - this.#measuredAt >= EVERY);
  }

  *measure(time: number): Job {
    this.#measuredAt = time;
    const { watch } = this.#options;
    const before = watch.strangerHits();
    const shared = pairSeconds();
    const isShared = watch.strangerHits() - before >= PAIRS * ROUNDS;
    yield undefined;
    const link = isShared ? undefined : this.#attach();
    if (!isShared && !link) return;
    const probed = link ? pairSeconds() : shared;
    let isGone = false;
    const gone = () => {
      isGone = true;
    };
    void Promise.resolve(link?.closeSoon ? link.closeSoon() : link?.close()).then(gone, gone);
    this.#learn((probed - this.#bare) / hitsOfPair(watch.strategy));
    while (!isGone) yield 'wait';
  }

  /** undefined where that is refused, or libc is not known: then what is assumed holds. */
  #attach(): BpfLink | undefined {
    const { watch, self } = this.#options;
    try {
      const file = this.#ownLibc();
      return file && watch.attach(self, file);
    } catch {
      return undefined;
    }
  }

  #learn(hit: number): void {
    const times = Math.min(MOST, Math.max(LEAST, (FOLLOWED * hit) / this.#assumed.hit));
    if (!Number.isFinite(times)) return;
    this.#cost = {
      hit: this.#assumed.hit * times,
      steppedHit: this.#assumed.steppedHit * times,
      record: this.#assumed.record * times,
    };
  }

  /** malloc and free of the libc that this process has. */
  #ownLibc(): ProbedFile | undefined {
    const { images, readMap, self } = this.#options;
    for (const module of readMap(self.pid).modules) {
      if (module.inode === 0 || !/\/libc[-.]|\/ld-musl/.test(module.path)) continue;
      const found = images.find(self.pid, module);
      if (!found) continue;
      const { functions } = found.image;
      const sites = (['malloc', 'free'] as const).flatMap((shape): ProbeSite[] => {
        const place = functions.get(shape);
        return place ? [{ shape, symbol: shape, offset: place.offset, entry: place.entry }] : [];
      });
      const traits = { name: module.path, defines: (symbol: string) => functions.has(symbol) };
      if (sites.length === 2 && familyOf(traits)) return { path: found.path, sites };
    }
    return undefined;
  }
}

/** A session leaves out the return of who is not followed. */
const hitsOfPair = (strategy: string): number => (strategy === 'session' ? 2 : 3);

function pairSeconds(): number {
  const { takeAndGive } = libc();
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    takeAndGive(PAIRS);
    least = Math.min(least, performance.now() - began);
  }
  return least / 1000 / PAIRS;
}
