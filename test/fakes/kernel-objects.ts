/** Starts kernel-objects: a process for which the kernel allocates so many objects of a kind. */
import { LineProgram } from './line-program.js';
import { programMissing, programOf } from './programs.js';

export type ObjectKind = 'signalfd' | 'timerfd' | 'pipe' | 'fill' | 'epoll';

export class KernelObjects extends LineProgram {
  /** Why there is none here; undefined if it is built, or just was. */
  static missing = (): string | undefined => programMissing('kernel-objects');

  static async start(): Promise<KernelObjects> {
    const objects = new KernelObjects(programOf('kernel-objects'));
    return KernelObjects.begun(objects, () => objects.expect('done'));
  }

  /** Resolves once the kernel has made them. */
  async make(kind: ObjectKind, count: number): Promise<void> {
    this.tell(`${kind} ${count}`);
    await this.expect('done');
  }

  async drop(): Promise<void> {
    this.tell('drop');
    await this.expect('done');
  }
}
