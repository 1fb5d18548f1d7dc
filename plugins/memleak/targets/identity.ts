import { basename } from 'node:path';
import { cgroupLine, containerOf } from '../../../core/identity/cgroup.js';
import { bootTime } from '../../../core/identity/host.js';
import {
  attributesOfProcess,
  type ProcessAttributes,
  startTimeOf,
} from '../../../core/identity/who.js';
import type { ProcessId } from '../model.js';
import type { Candidate } from './candidate.js';
import { attempt, type Proc } from './proc.js';

/** Bytes of an executable's name that are kept, as the kernel's records have it. */
const NAME_BYTES = 63;

/** What backends call a process, from what /proc says of it. */
export class Identities {
  readonly #bootTime: number;

  constructor(
    private readonly proc: Proc,
    bootedAt = bootTime(),
  ) {
    this.#bootTime = bootedAt;
  }

  of({ pid, startTime }: ProcessId, { comm, executable }: Candidate): ProcessAttributes {
    const text = attempt(() => this.proc.text(pid, 'cgroup')) ?? '';
    const line = cgroupLine(text, 'memory') ?? cgroupLine(text);
    return attributesOfProcess({
      pid,
      startTime: startTimeOf(startTime, this.#bootTime),
      executable: cut(executable === undefined ? comm : basename(executable)),
      cgroup: line && { ...line, ...containerOf(line.path) },
    });
  }
}

const cut = (name: string) => Buffer.from(name).subarray(0, NAME_BYTES).toString('utf8');
