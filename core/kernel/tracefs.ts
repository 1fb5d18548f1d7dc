/** What tracefs and the perf PMUs say of hooks. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeError } from '../errors.js';

const MOUNTS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];

export type TracefsState = 'readable' | 'denied' | 'absent';

export class Tracefs {
  readonly root: string | undefined;
  readonly state: TracefsState;
  #functions: WeakRef<Buffer> | undefined;

  /** The first of `mounts` that is a tracefs; a mount point that is not mounted is empty. */
  constructor(mounts: readonly string[] = MOUNTS) {
    let denied: string | undefined;
    for (const mount of mounts) {
      const probe = join(mount, 'events', 'header_page');
      try {
        accessSync(probe, constants.R_OK);
        this.root = mount;
        this.state = 'readable';
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EACCES') denied ??= mount;
      }
    }
    this.root = denied;
    this.state = denied === undefined ? 'absent' : 'denied';
  }

  /** `group:event` or `group/event`; undefined if it is there and may be used, else what is wrong. */
  missingEvent(name: string): string | undefined {
    if (this.root === undefined || this.state !== 'readable') return this.why();
    const [group = '', event = ''] = name.split(/[:/]/);
    const id = join(this.root, 'events', group, event, 'id');
    try {
      readFileSync(id);
      return undefined;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return code === 'ENOENT' || code === 'ENOTDIR'
        ? `tracefs event ${group}:${event}`
        : `a readable ${id} (${describeError(error)})`;
    }
  }

  /**
   * Whether ftrace, and with it kprobes on a function's entry, can hook the function of exactly
   * that name; undefined if the list cannot be read.
   */
  canFilter(name: string): boolean | undefined {
    if (this.root === undefined || this.state !== 'readable') return undefined;
    const functions = this.#readFunctions(join(this.root, 'available_filter_functions'));
    return functions && [`\n${name}\n`, `\n${name} [`].some((line) => functions.includes(line));
  }

  /** Megabytes, and only needed while plugins start: the garbage collector may have them back. */
  #readFunctions(list: string): Buffer | undefined {
    const known = this.#functions?.deref();
    if (known !== undefined) return known;
    try {
      const functions = Buffer.concat([Buffer.from('\n'), readFileSync(list)]);
      this.#functions = new WeakRef(functions);
      return functions;
    } catch {
      return undefined;
    }
  }

  /** Why it cannot be used, as something that is missing. */
  why(): string {
    return this.state === 'denied'
      ? `a readable tracefs (${this.root} is closed to us: CAP_DAC_READ_SEARCH opens it)`
      : 'a mounted tracefs (mount -t tracefs tracefs /sys/kernel/tracing)';
  }
}
