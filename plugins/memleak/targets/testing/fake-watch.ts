import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import type { BpfLink } from '../../../../core/bpf/host.js';
import type { ProcessId } from '../../model.js';
import type {
  Activity,
  CodeRange,
  Happening,
  ProbedFile,
  UserReadings,
  UserWatch,
} from '../../user/user-watch.js';

export interface FakeLink {
  readonly process: ProcessId;
  readonly file: ProbedFile;
  /** Device and inode that its path led to when it was attached. */
  readonly inode: string;
}

/** Attaches to nothing, remembers all, and insists on the order that the kernel needs. */
export class FakeWatch implements UserWatch {
  strategy = 'session';
  readonly links = new Set<FakeLink>();
  readonly followed = new Map<number, { process: ProcessId; code: readonly CodeRange[] }>();
  readonly samplings: number[] = [];
  readonly log: string[] = [];
  readonly inherited = new Map<number, ProcessId>();
  activities = new Map<number, Activity>();
  pending: Happening[] = [];
  /** Throws what an attach is to fail with. */
  refuse: (file: ProbedFile, process: ProcessId) => void = () => undefined;

  refuseToFollow: (process: ProcessId) => void = () => undefined;

  follow(process: ProcessId, code: readonly CodeRange[], inherit?: ProcessId): void {
    this.refuseToFollow(process);
    if (!this.followed.has(process.pid)) this.log.push(`follow ${process.pid}`);
    this.followed.set(process.pid, { process, code });
    if (inherit) this.inherited.set(process.pid, inherit);
  }

  forget(process: ProcessId): void {
    assert.deepEqual(this.followed.get(process.pid)?.process, process, 'it is not followed');
    this.followed.delete(process.pid);
    this.log.push(`forget ${process.pid}`);
  }

  attach(process: ProcessId, file: ProbedFile): BpfLink {
    this.refuse(file, process);
    const { dev, ino } = statSync(file.path);
    const link = { process, file, inode: `${dev} ${ino}` };
    for (const { process: other, inode } of this.links) {
      assert.ok(other.pid !== process.pid || inode !== link.inode, 'a file is attached twice');
    }
    assert.ok(file.sites.length > 0, 'nothing is to be attached');
    this.links.add(link);
    return {
      program: 'fake',
      close: () => {
        this.links.delete(link);
      },
      readAll: () => assert.fail(),
    };
  }

  attachShared(): BpfLink {
    return assert.fail('nothing is shared here');
  }

  join(): void {}

  strangerHits(): number {
    return 0;
  }

  setSampling(interval: number): void {
    this.samplings.push(interval);
  }

  activity(): ReadonlyMap<number, Activity> {
    return this.activities;
  }

  read(): UserReadings {
    return { time: 0, readings: [], coverage: new Map(), hits: new Map() };
  }

  happenings(): readonly Happening[] {
    return this.pending.splice(0);
  }

  close(): void {
    assert.equal(this.links.size, 0);
  }

  linksOf(pid: number): FakeLink[] {
    return [...this.links].filter((link) => link.process.pid === pid);
  }

  /** Symbols that are probed in the process, sorted. */
  symbolsOf(pid: number): string[] {
    return this.linksOf(pid)
      .flatMap(({ file }) => file.sites.map(({ symbol }) => symbol))
      .sort();
  }
}
