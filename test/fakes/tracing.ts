/**
 * The kernel's own tracer as an independent witness: a private instance of tracefs with some events
 * switched on, whose lines are read back. It uses no BPF and none of our code in the kernel.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const TRACEFS = '/sys/kernel/tracing';
/** A CPU; what is lost for want of room would be said, and fails the test. */
const BUFFER_KIB = 16_384;

export interface TracedEvent {
  readonly comm: string;
  readonly tid: number;
  readonly cpu: number;
  /** CLOCK_MONOTONIC, nanoseconds to the microsecond. */
  readonly time: number;
  readonly event: string;
  /** The `key=value` pairs of the line. */
  readonly fields: Readonly<Record<string, string>>;
}

export interface TracingOptions {
  /** Events as `group/name`; with a filter of tracefs, or ''. */
  readonly events: Readonly<Record<string, string>>;
  readonly bufferKiB?: number;
}

const open = new Set<Tracing>();
process.on('exit', () => {
  for (const tracing of open) tracing.close();
});
let made = 0;

export class Tracing {
  readonly #dir = join(TRACEFS, 'instances', `mem-watcher-test-${process.pid}-${made++}`);

  constructor({ events, bufferKiB = BUFFER_KIB }: TracingOptions) {
    mkdirSync(this.#dir);
    open.add(this);
    this.#write('buffer_size_kb', String(bufferKiB));
    this.#write('trace_clock', 'mono');
    for (const [event, filter] of Object.entries(events)) {
      if (filter !== '') this.#write(`events/${event}/filter`, filter);
      this.#write(`events/${event}/enable`, '1');
    }
  }

  /** Why there is no witness here. */
  static missing(...events: string[]): string | undefined {
    if (!existsSync(join(TRACEFS, 'instances'))) return `tracefs is not mounted on ${TRACEFS}`;
    const absent = events.filter((event) => !existsSync(join(TRACEFS, 'events', event)));
    return absent.length > 0 ? `this kernel has no event ${absent.join(', ')}` : undefined;
  }

  /** From now on nothing more is recorded. */
  stop(): void {
    this.#write('tracing_on', '0');
  }

  /** All that was recorded, in the order of time. Throws if anything was lost. */
  read(): TracedEvent[] {
    const lines = readFileSync(join(this.#dir, 'trace'), 'utf8').split('\n');
    const lost = lines.find((line) => /LOST \d+ EVENTS/.test(line));
    const [, kept, written] =
      /entries-in-buffer\/entries-written: (\d+)\/(\d+)/.exec(lines.slice(0, 5).join('\n')) ?? [];
    if (lost !== undefined || kept !== written) {
      throw new Error(
        `the tracer lost events (${kept} of ${written} kept): its buffer is too small`,
      );
    }
    return lines.flatMap((line) => parse(line) ?? []);
  }

  close(): void {
    open.delete(this);
    if (existsSync(this.#dir)) rmdirSync(this.#dir);
  }

  #write(file: string, text: string): void {
    writeFileSync(join(this.#dir, file), text);
  }
}

/** A filter of kmem/mm_page_alloc: there was no page. */
export const NO_PAGE = 'pfn == 0xffffffffffffffff';

const LINE = /^\s*(.+)-(\d+)\s+\[(\d+)\]\s+\S+\s+([\d.]+): (\w+): (.*)$/;

function parse(line: string): TracedEvent | undefined {
  const [, comm = '', tid, cpu, time, event = '', rest = ''] = LINE.exec(line) ?? [];
  if (time === undefined) return undefined;
  const fields = Object.fromEntries(
    [...rest.matchAll(/(\w+)=(\S+)/g)].map(([, key = '', value = '']) => [key, value]),
  );
  return {
    comm,
    tid: Number(tid),
    cpu: Number(cpu),
    time: Math.round(Number(time) * 1e9),
    event,
    fields,
  };
}
