import type { BpfLink } from '../../../core/bpf/host.js';
import type { ProcessId } from '../model.js';
import type { ProbedFile, UserWatch } from '../user/user-watch.js';

/** Targets for which the same functions are probed. */
export interface Group {
  /** 1 to 65,535. */
  readonly number: number;
  /** Whether one link a file is to serve all of them. */
  isShared: boolean;
}

interface Shared {
  readonly link: BpfLink;
  users: number;
}

/** Links of targets: each has its own, or those of a group have one a file. */
export class Links {
  readonly #shared = new Map<string, Shared>();

  constructor(private readonly watch: Pick<UserWatch, 'attach' | 'attachShared'>) {}

  /** `group`: 0, or the number of the group that shares the link. `key`: of the file, and its version. */
  attach(process: ProcessId, group: number, key: string, file: ProbedFile): BpfLink {
    if (group === 0) return this.watch.attach(process, file);
    const name = `${group} ${key}`;
    const shared = this.#shared.get(name) ?? {
      link: this.watch.attachShared(group, file),
      users: 0,
    };
    this.#shared.set(name, shared);
    shared.users++;
    return this.#leaseOf(name, shared);
  }

  #leaseOf(name: string, shared: Shared): BpfLink {
    let isHeld = true;
    /** Whether nobody uses it any more. */
    const giveBack = (): boolean => {
      if (!isHeld) return false;
      isHeld = false;
      shared.users--;
      if (shared.users > 0) return false;
      this.#shared.delete(name);
      return true;
    };
    return {
      program: shared.link.program,
      readAll: () => shared.link.readAll(),
      close: () => {
        if (giveBack()) shared.link.close();
      },
      closeSoon: async () => {
        if (giveBack()) await (shared.link.closeSoon?.() ?? shared.link.close());
      },
    };
  }
}
