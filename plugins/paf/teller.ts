import type { GfpFlags } from '../../core/memory/gfp.js';
import type { Severity } from '../../core/metadata.js';
import type { KernelSymbols } from '../../core/symbolize/kallsyms.js';
import type { KernelFrame } from '../../core/symbolize/kernel-frame.js';
import type { Emitter } from '../../core/telemetry/events.js';
import { attributesOf, bodyOf, EVENT, type EventContext, stackOf } from './event.js';
import type { PafMetadata } from './metadata.js';
import type { ToldFailures } from './records.js';
import { withoutProbe } from './stack.js';
import type { Told } from './watch.js';

/** For the names of a stack, ms; the event goes without them then. */
const NAMES_WITHIN = 5000;
/** Rows of the live view. */
const RECENT = 200;

export interface TellerOptions {
  readonly gfp: GfpFlags;
  readonly context: EventContext;
  readonly symbols: Pick<KernelSymbols, 'resolve'>;
  readonly emitter: Emitter<PafMetadata>;
  readonly namesWithin?: number;
}

/** Makes events of failures, and keeps the last of them for the live view. */
export class Teller {
  readonly #options: TellerOptions;
  readonly #recent: ToldFailures[] = [];
  /** Events that wait for names. */
  readonly #naming = new Set<Promise<void>>();

  constructor(options: TellerOptions) {
    this.#options = options;
  }

  /** Oldest first. */
  get recent(): readonly ToldFailures[] {
    return [...this.#recent];
  }

  /** The event follows when its stack has names, or none came in time. */
  tell(told: Told): void {
    const { gfp, context } = this.#options;
    const mask = told.request.gfp;
    const requested = told.detail?.requestedGfp;
    const unnamed: ToldFailures = {
      ...told,
      flags: mask === undefined ? undefined : gfp.describe(mask),
      requestedFlags: requested === undefined ? undefined : gfp.describe(requested),
      frames: told.stack.map((address) => ({ address })),
    };
    // Now: what it is to be asked about may soon be gone.
    const body = bodyOf(unnamed, context);
    const attributes = attributesOf(unnamed, context);
    const naming = this.#framesOf(told.stack).then((frames) => {
      this.#emit(unnamed, frames, body, attributes);
      this.#naming.delete(naming);
    });
    this.#naming.add(naming);
  }

  /** Resolves when every event is on its way. */
  async settled(): Promise<void> {
    await Promise.all(this.#naming);
  }

  #emit(
    unnamed: ToldFailures,
    named: readonly KernelFrame[],
    body: string,
    attributes: ReturnType<typeof attributesOf>,
  ): void {
    const frames = withoutProbe(named);
    this.#recent.push({ ...unnamed, frames });
    if (this.#recent.length > RECENT) this.#recent.shift();
    const all = { ...attributes, ...stackOf(frames) };
    const severity = severityOf(unnamed.request.gfp, this.#options.gfp);
    this.#options.emitter.event(EVENT, body, all, { time: unnamed.first, severity });
  }

  async #framesOf(stack: readonly bigint[]): Promise<readonly KernelFrame[]> {
    const { symbols, namesWithin = NAMES_WITHIN } = this.#options;
    const unnamed = stack.map((address) => ({ address }));
    if (stack.length === 0) return unnamed;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<readonly KernelFrame[]>((resolve) => {
      timer = setTimeout(() => resolve(unnamed), namesWithin).unref();
    });
    const frames = await Promise.race([symbols.resolve(stack), late]);
    clearTimeout(timer);
    return frames;
  }
}

/** Who passes __GFP_NOWARN says that it can do without, and has the kernel's log be silent. */
function severityOf(mask: number | undefined, gfp: Pick<GfpFlags, 'has'>): Severity {
  return mask !== undefined && gfp.has(mask, '__GFP_NOWARN') === true ? 'INFO' : 'WARN';
}
