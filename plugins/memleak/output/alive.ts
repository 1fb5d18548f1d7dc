import { readFileSync } from 'node:fs';
import { MemWatcherError } from '../../../core/errors.js';

/** When a process started, as /proc/PID/stat writes it; undefined if it has ended or is a zombie. */
function startOf(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The name before may hold anything, parentheses too.
  const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return /^[ZXx]/.test(state) ? undefined : fields[18];
}

/** Processes that were chosen by pid: whether any of them still runs. */
export class Alive {
  readonly #starts: ReadonlyMap<number, string>;

  /** TARGET_GONE if there is no such process. */
  constructor(pids: readonly number[]) {
    this.#starts = new Map(
      pids.map((pid) => {
        const start = startOf(pid);
        if (start !== undefined) return [pid, start];
        throw new MemWatcherError('TARGET_GONE', `there is no process ${pid}`, {
          hint: 'a process of a container is named by its pid on the host; --container takes its id',
        });
      }),
    );
  }

  /** Whether processes were chosen by pid, and the last of them has ended. */
  get ended(): boolean {
    return (
      this.#starts.size > 0 && [...this.#starts].every(([pid, start]) => startOf(pid) !== start)
    );
  }
}
