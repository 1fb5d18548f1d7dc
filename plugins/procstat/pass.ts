/** One pass over all tasks, by whichever program was loaded: the records that it wrote. */
import { readFileSync } from 'node:fs';
import type { LoadedBpf } from '../../core/bpf/host.js';
import { MemWatcherError } from '../../core/errors.js';
import type { Scope } from '../../core/scope.js';

export interface TaskPass {
  /** The records; those of the iterator lie close together, those of the list `stride` apart. */
  read(): { readonly bytes: Uint8Array; readonly stride: number };
  /** Of the hook's map of processes: whether the pass fills it. */
  readonly isByPid: boolean;
}

const LIST = 'collect_list';

export function taskPass({ links, programs, object }: LoadedBpf, scope: Scope): TaskPass {
  if (programs.includes(LIST)) {
    const { bytes, stride } = scope.use(object.map('walked').mapped());
    return {
      isByPid: false,
      read: () => ({ bytes: bytes.subarray(0, object.run(LIST).retval * stride), stride }),
    };
  }
  const iterator = [...links.values()].find(({ program }) => program.startsWith('collect'));
  if (iterator === undefined) throw new MemWatcherError('INTERNAL', 'procstat has no pass');
  return {
    isByPid: iterator.program === 'collect_by_pid',
    read: () => ({ bytes: iterator.readAll(), stride: 0 }),
  };
}

/** Throws if a walk along the list is loaded that does not even find ourselves. */
export function verifyPass({ programs, object }: LoadedBpf): void {
  const program = LIST;
  if (!programs.includes(program) || object.run(program).retval > 0) return;
  throw new MemWatcherError('BPF_RUN_FAILED', 'no task was found', { program });
}

/** Room for twice the tasks that there are now. */
export function walkCapacity(atLeast: number, loadavg = '/proc/loadavg'): number {
  const tasks = Number(/\d+\/(\d+)/.exec(readFileSync(loadavg, 'latin1'))?.[1] ?? 0);
  return Math.max(atLeast, 2 * tasks);
}
