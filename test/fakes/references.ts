/** Starts references: a process that tells which of its blocks it holds by what, and which it has lost. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { programMissing, programOf } from './programs.js';

export interface HeldBlock {
  readonly kind: string;
  readonly address: number;
  readonly size: number;
}

export class References {
  readonly pid: number;

  private constructor(
    private readonly child: ChildProcess,
    /** By address. */
    readonly blocks: readonly HeldBlock[],
  ) {
    this.pid = child.pid ?? 0;
  }

  static missing = (): string | undefined => programMissing('references');

  /** Resolves when all its blocks are made. */
  static async start(...args: readonly string[]): Promise<References> {
    const child = spawn(programOf('references'), args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const blocks: HeldBlock[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      if (line === 'ready') break;
      const [kind = '', address = '', size] = line.split(' ');
      blocks.push({ kind, address: Number.parseInt(address, 16), size: Number(size) });
    }
    return new References(
      child,
      blocks.toSorted((a, b) => a.address - b.address),
    );
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('close', resolve));
    this.child.kill('SIGKILL');
    await gone;
  }
}
