import { basename } from 'node:path';
import type { ProcessStat } from './proc.js';

/** A process that may be followed. */
export interface Candidate extends Pick<ProcessStat, 'pid' | 'comm' | 'ppid' | 'kernelThread'> {
  /** Since boot, ticks of 10 ms; with the pid it is the process's identity. */
  readonly startTicks: number;
  /** Path as the agent's root has it; undefined where it is hidden or there is none. */
  readonly executable: string | undefined;
  /** Paths in every hierarchy; asked for when needed. */
  cgroups(): readonly string[];
}

export const keyOf = ({ pid, startTicks }: Pick<Candidate, 'pid' | 'startTicks'>): string =>
  `${pid}@${startTicks}`;

/** Names by which people know it. */
export const namesOf = ({ comm, executable }: Pick<Candidate, 'comm' | 'executable'>) =>
  executable === undefined ? [comm] : [basename(executable), comm];
