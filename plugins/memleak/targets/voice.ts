import type { Logger } from '../../../core/logger.js';
import type { Health } from '../../../core/plugin.js';

/** What is wrong, each kind as one condition of the plugin's status. */
export interface Troubles {
  /** Targets with their reasons. */
  readonly impaired: readonly { readonly name: string; readonly reason: string }[];
  /** Matching processes beyond the bound. */
  readonly omitted: number;
  readonly max: number;
  /** Pids that nobody has, each with what is known of it: nothing, or that it is a thread's. */
  readonly absent: readonly string[];
  /** Sampling above what is configured, and targets that are left for their cost. */
  readonly economy: string | undefined;
}

/** Of many targets some are named, and the rest counted. */
const NAMED = 3;

/** Says in status and log what the targets lack; the same thing is said once. */
export class Voice {
  readonly #said = new Map<string, string>();

  constructor(
    private readonly health: Pick<Health, 'degraded' | 'clear'>,
    private readonly logger: Pick<Logger, 'warn'>,
  ) {}

  say({ impaired, omitted, max, absent, economy }: Troubles): void {
    this.#set('impaired_targets', impairedWords(impaired));
    this.#set(
      'max_targets',
      omitted > 0
        ? `${omitted} more processes match than the ${max} that are followed: raise max_targets`
        : undefined,
    );
    this.#set('absent', absent.length > 0 ? `there is no process ${some(absent)}` : undefined);
    this.#set('budget', economy);
  }

  #set(id: string, reason: string | undefined): void {
    if (this.#said.get(id) === reason) return;
    if (reason === undefined) {
      this.#said.delete(id);
      this.health.clear(id);
      return;
    }
    this.#said.set(id, reason);
    this.health.degraded(id, reason);
    this.logger.warn({ condition: id }, reason);
  }
}

function impairedWords(impaired: Troubles['impaired']): string | undefined {
  if (impaired.length === 0) return undefined;
  return some(impaired.map(({ name, reason }) => `${name}: ${reason}`));
}

function some(all: readonly string[]): string {
  const rest = all.length - NAMED;
  const named = all.slice(0, NAMED).join('; ');
  return rest > 0 ? `${named}; and ${rest} more` : named;
}

/** What is known of a pid that is no process. */
export const absenceOf = (pid: number, process: number | undefined): string =>
  process === undefined
    ? `${pid}: it has exited, or never was`
    : `${pid}: ${pid} is a thread of ${process}`;
