import { closeSync, openSync, readSync } from 'node:fs';
import type { Process } from './process.js';

export interface Command {
  /** argv[0]. */
  readonly command: string;
  /** argv, joined by spaces. */
  readonly line: string;
}

interface Known extends Command {
  readonly startNs: number;
  readonly executable: string;
}

/** One read is enough: /proc gives at most a page at a time, and more is cut off anyway. */
const room = Buffer.allocUnsafe(4096);

function readCommandLine(pid: number): Buffer {
  const file = openSync(`/proc/${pid}/cmdline`, 'r');
  try {
    return room.subarray(0, readSync(file, room));
  } finally {
    closeSync(file);
  }
}

/**
 * Command lines of the processes that are shown, from /proc/PID/cmdline: read once a process and
 * again after it executed another file.
 */
export class Commands {
  #known = new Map<number, Known>();
  #seen = new Map<number, Known>();

  /** @param maxLength characters kept of each. */
  constructor(
    private readonly maxLength: number,
    private readonly read: (pid: number) => Buffer = readCommandLine,
  ) {}

  /** undefined if it has none, or is gone. */
  of(process: Process): Command | undefined {
    let known = this.#seen.get(process.pid) ?? this.#known.get(process.pid);
    if (known?.startNs !== process.startNs || known.executable !== process.executable) {
      known = this.#ask(process);
    }
    this.#seen.set(process.pid, known);
    return known.line === '' ? undefined : known;
  }

  /** Forgets the processes that nobody asked for since the last call. */
  sweep(): void {
    this.#known = this.#seen;
    this.#seen = new Map();
  }

  #ask({ pid, startNs, executable }: Process): Known {
    let text = '';
    try {
      text = this.read(pid).toString('utf8').replace(/\0+$/, '');
    } catch {
      // Exited since the pass: its last figures are reported without it.
    }
    const first = text.indexOf('\0');
    const cut = (part: string) =>
      part.length > this.maxLength ? `${part.slice(0, this.maxLength - 1)}…` : part;
    return {
      startNs,
      executable,
      command: cut(first < 0 ? text : text.slice(0, first)),
      line: cut(text.replaceAll('\0', ' ')),
    };
  }
}
