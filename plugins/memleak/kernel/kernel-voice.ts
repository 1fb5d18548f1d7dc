/** Between collections: what the kernel's programs cost, and what finds their tables full, is said. */
import { describeError } from '../../../core/errors.js';
import type { Logger } from '../../../core/logger.js';
import type { Health } from '../../../core/plugin.js';
import type { Closable } from '../../../core/scope.js';
import type { KernelCounts } from './counts.js';
import type { KernelWatch } from './kernel-watch.js';

/** ms. */
const EVERY = 1000;
/** Looks without a miss after which a table counts as large enough again. */
const CALM = 60;

/** Counts of tables that were full, and what helps. */
const TABLES = {
  live_full: 'outstanding allocations of the kernel that are kept: raise kernel.max_live',
  stacks_full: 'stacks of the kernel that are told apart: raise kernel.max_stacks',
} as const;
type Table = keyof typeof TABLES;

export class KernelVoice implements Closable {
  #timer: NodeJS.Timeout | undefined;
  readonly #full = new Map<Table, { count: number; calm: number }>();

  constructor(
    private readonly watch: Pick<KernelWatch, 'weigh' | 'tooCostly' | 'counts' | 'unreadable'>,
    private readonly health: Pick<Health, 'degraded' | 'clear'>,
    private readonly logger: Pick<Logger, 'info'>,
  ) {}

  start(): void {
    this.#timer = setInterval(() => this.look(), EVERY).unref();
  }

  /** Nobody catches an error between collections. */
  look(): void {
    try {
      const said = this.watch.weigh();
      if (said !== undefined) this.logger.info({ part: 'kernel' }, said);
      this.#set('kernel_budget', this.watch.tooCostly);
      this.#set('kernel_accounting', unreadable(this.watch.unreadable));
      this.#set('kernel_tables', this.#fullOf(this.watch.counts()));
    } catch (error) {
      this.health.degraded('kernel_look', `the kernel’s part: ${describeError(error)}`);
      return;
    }
    this.health.clear('kernel_look');
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** It is said for a while: one that is full at times is too small. */
  #fullOf(counts: KernelCounts): string | undefined {
    const words: string[] = [];
    for (const table of Object.keys(TABLES) as Table[]) {
      const { count, calm } = this.#full.get(table) ?? { count: 0, calm: CALM };
      const isCalm = counts[table] === count;
      const next = { count: counts[table], calm: isCalm ? calm + 1 : 0 };
      this.#full.set(table, next);
      if (next.calm < CALM) words.push(`there are more ${TABLES[table]}`);
    }
    return words.join('; ') || undefined;
  }

  #set(id: string, reason: string | undefined): void {
    if (reason === undefined) this.health.clear(id);
    else this.health.degraded(id, reason);
  }
}

const unreadable = (files: string | undefined): string | undefined =>
  files && `kernel caches that grow may go unnoticed: cannot read ${files}`;
