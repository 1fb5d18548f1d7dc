import { Names } from './names.js';
import { type Activity, noFigures, type Process } from './process.js';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A thread group from pass to pass: its process, and what the records of one pass say of it. */
export class Group implements Activity {
  readonly names = new Names();
  /** The last pass that saw it. */
  pass = 0;
  /** Where its leader's record lies; -1 if none was seen. */
  leader = -1;
  /** Where a thread's record tells the process's memory; -1 if none does. */
  memory = -1;
  /** Threads beside the leader, and what they did. */
  threads = 0;
  voluntarySwitches = 0;
  involuntarySwitches = 0;
  minorFaults = 0;
  majorFaults = 0;
  /** Pages that they hold back. */
  file = 0;
  anon = 0;
  swap = 0;
  shmem = 0;
  #process: Writable<Process> | undefined;

  constructor(readonly pid: number) {}

  begin(pass: number): void {
    this.pass = pass;
    this.leader = -1;
    this.memory = -1;
    this.threads = 0;
    this.voluntarySwitches = 0;
    this.involuntarySwitches = 0;
    this.minorFaults = 0;
    this.majorFaults = 0;
    this.file = 0;
    this.anon = 0;
    this.swap = 0;
    this.shmem = 0;
  }

  /** The same object as in the last pass, unless the pid is another process's now. */
  processOf(startNs: number, startTime: number): Writable<Process> {
    if (this.#process?.startNs !== startNs) {
      this.#process = {
        pid: this.pid,
        ppid: 0,
        uid: 0,
        startNs,
        startTime,
        comm: '',
        executable: '',
        cgroupId: 0,
        cgroupV1: false,
        threads: 0,
        ...noFigures(),
      };
    }
    return this.#process;
  }
}
