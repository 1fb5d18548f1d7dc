import { uptime } from 'node:os';
import type { MonotonicClock } from '../../core/identity/monotonic-clock.js';
import type { Emitter } from '../../core/telemetry/events.js';
import { quantilesOf } from './ages.js';
import { heapBytes } from './heap.js';
import { type Account, type Judged, type JudgedChange, type Ledger, larger } from './ledger.js';
import type { MemleakMetadata } from './metadata.js';
import type { LeakSnapshot, LeakStack, ProcessId, ScanTotals, Target } from './model.js';
import type { Nameless, Naming } from './naming.js';
import type { Source, SourceAccount } from './sources.js';
import { stackIdOf } from './stack-ids.js';
import { tellChange } from './teller.js';

/** For names in one collection, ms: those that come later are in the next. */
const NAMING_MS = 2500;
/** Targets that have ended whose last account is kept for who asks. */
const KEPT_ENDED = 16;

export interface RoundsOptions {
  readonly sources: readonly Source[];
  readonly ledger: Ledger;
  readonly naming: Naming;
  readonly emitter: Emitter<MemleakMetadata>;
  readonly clock: MonotonicClock;
  /** Stacks that have names. */
  readonly top: number;
  /** Seconds between two looks at ages. */
  readonly agesEvery: number;
  /** Told after each round who is held against what, to look whether it is still referenced. */
  readonly tend?: (accounts: readonly SourceAccount[], held: readonly Judged[]) => void;
  readonly scans?: () => ScanTotals;
}

/** A target that is not watched any more, or for a while, and what it held last. */
interface Last {
  readonly account: SourceAccount;
  readonly stacks: readonly Judged[];
}

const IS_COMING = 'it was not watched for a while, as it cost too much, and is about to be again';

/** One collection after the other: read, judge, name, tell. */
export class Rounds {
  readonly #options: RoundsOptions;
  readonly #startTime = Date.now();
  readonly #ended: Last[] = [];
  /** By account: those that cost too much. */
  readonly #paused = new Map<string, Last>();
  /** By account: whose addresses they are. */
  readonly #accounts = new Map<string, SourceAccount>();
  #agesAt = Number.NEGATIVE_INFINITY;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  async take(): Promise<LeakSnapshot> {
    const { ledger, naming, clock, sources } = this.#options;
    clock.sync();
    const time = clock.now() / 1e9;
    const now = Date.now();
    const accounts = this.#read(sources, time);
    const changes = ledger.take(accounts.map(judgedAccount), time, now);
    this.#bury(accounts);
    const held = ledger.outstanding;
    this.#options.tend?.(accounts, held);
    const gone = [...this.#ended, ...this.#paused.values()].flatMap(({ stacks }) => stacks);
    const chosen = choose(held, gone, this.#options.top);
    await naming.name(
      [...changes, ...chosen].map((one) => this.#nameless(one)),
      NAMING_MS,
    );
    for (const change of changes) this.#tell(change);
    const stacks = chosen.map((judged) => this.#stack(judged));
    this.#forget(accounts);
    return {
      startTime: this.#startTime,
      time: now,
      targets: [
        ...accounts.filter(({ ended }) => !ended).map((account) => this.#targetOf(account)),
        ...this.#ended.map(({ account }) => targetOf(account)),
      ],
      stacks,
      omitted: held.length + gone.length - chosen.length,
      states: [...statesOf(held), ...statesOf(gone).map((of) => ({ ...of, ended: true as const }))],
      symbolizer: naming.statistics,
      ...(this.#options.scans && { scans: this.#options.scans() }),
    };
  }

  #read(sources: readonly Source[], time: number): readonly SourceAccount[] {
    const ages = time - this.#agesAt >= this.#options.agesEvery;
    if (ages) this.#agesAt = time;
    const accounts = sources.flatMap((source) => source.read(ages));
    for (const account of accounts) {
      this.#setAside(account);
      this.#accounts.set(account.id, account);
    }
    return accounts;
  }

  /** Who is left for its cost keeps what was held of it until it is watched again. */
  #setAside(account: SourceAccount): void {
    const { id, isPaused, ended, readings, target } = account;
    if (ended) return;
    // Its probes have to be attached again before it is seen.
    const isComing = this.#paused.has(id) && target.allocators.length === 0;
    const isLeft = readings.length === 0 && (isPaused === true || isComing);
    if (!isLeft) this.#paused.delete(id);
    else if (!this.#paused.has(id)) {
      const before = this.#accounts.get(id) ?? account;
      this.#paused.set(id, { account: before, stacks: this.#options.ledger.heldBy(id) });
    }
  }

  #targetOf({ id, target }: SourceAccount): Target {
    const before = this.#paused.get(id)?.account.target;
    if (!before) return target;
    return { ...before, reason: target.reason ?? IS_COMING, paused: true };
  }

  /** Who has ended keeps what was held of it, for the last report. */
  #bury(accounts: readonly SourceAccount[]): void {
    for (const account of accounts.filter(({ ended }) => ended)) {
      const stacks = this.#options.ledger.close(account.id);
      this.#ended.push(this.#paused.get(account.id) ?? { account, stacks });
      this.#paused.delete(account.id);
    }
    this.#ended.splice(0, Math.max(0, this.#ended.length - KEPT_ENDED));
  }

  #forget(accounts: readonly SourceAccount[]): void {
    const known = new Set([...accounts, ...this.#ended.map(({ account }) => account)].map(idOf));
    for (const id of this.#accounts.keys()) if (!known.has(id)) this.#accounts.delete(id);
  }

  #nameless({ account, reading }: Judged): Nameless {
    const map = this.#accounts.get(account)?.map;
    return { reading, ...(map && { map }) };
  }

  #tell(change: JudgedChange): void {
    const target = this.#accounts.get(change.account)?.target;
    tellChange(this.#options.emitter, this.#stack(change), change.before, target);
  }

  #stack({ account, reading, judgement, ages }: Judged): LeakStack {
    const frames = this.#options.naming.frames(reading);
    const quantiles = ages && quantilesOf(ages);
    const { map, target } = this.#accounts.get(account) ?? {};
    const isProcess = reading.source.kind === 'process';
    return {
      id: stackIdOf(reading, map, frames),
      reading,
      judgement,
      firstSeen: this.#options.clock.unix(reading.firstSeen),
      ...(isProcess && { heapBytes: heapBytes(reading, target?.allocators ?? []) }),
      ...(quantiles && { ageQuantiles: quantiles }),
      frames,
    };
  }
}

const idOf = ({ id }: SourceAccount) => id;

function judgedAccount(account: SourceAccount): Account {
  const { id, readings, target, coverageByStack, isPaused } = account;
  const { coverage, rssAnon } = target;
  return {
    id,
    readings,
    ...(coverageByStack && { coverageByStack }),
    ...(isPaused && { isPaused }),
    surroundings: {
      coverage,
      outstandingBytes: target.bytes,
      ...(target.source.kind === 'process' && { age: ageOf(target.source) }),
      ...(rssAnon !== undefined && { rssAnon }),
    },
  };
}

/** Seconds. */
const ageOf = ({ startTime }: ProcessId): number => Math.max(0, uptime() - startTime / 1e9);

const targetOf = ({ target, ended }: SourceAccount): Target =>
  ended ? { ...target, ended: true } : target;

/**
 * What is held against anybody first, of who has gone after who lives, then the largest; they come
 * largest first.
 */
function choose(held: readonly Judged[], gone: readonly Judged[], top: number): Judged[] {
  const isAccused = ({ judgement }: Judged) => judgement.state !== 'watching';
  // The living come sorted; who has gone is sorted by each.
  const bySize = [held, gone.toSorted(larger)];
  const accused = bySize.flatMap((those) => those.filter(isAccused));
  const rest = bySize.flatMap((those) => those.filter((one) => !isAccused(one)));
  return [...accused, ...rest].slice(0, top).sort(larger);
}

function statesOf(held: readonly Judged[]): LeakSnapshot['states'] {
  const counts = new Map<string, LeakSnapshot['states'][number]>();
  for (const { judgement } of held) {
    const { state, class: of } = judgement;
    const key = `${state} ${of ?? ''}`;
    const count = (counts.get(key)?.count ?? 0) + 1;
    counts.set(key, { state, ...(of !== undefined && { class: of }), count });
  }
  return [...counts.values()];
}
