/** Starts references: a process that tells which of its blocks it holds by what, and which it has lost. */
import { LineProgram } from './line-program.js';
import { programMissing, programOf } from './programs.js';

export interface HeldBlock {
  readonly kind: string;
  readonly address: number;
  readonly size: number;
}

export class References extends LineProgram {
  /** By address. */
  readonly blocks: HeldBlock[] = [];

  static missing = (): string | undefined => programMissing('references');

  /** Resolves when all its blocks are made. */
  static async start(...args: readonly string[]): Promise<References> {
    const references = new References(programOf('references'), args);
    return References.begun(references, () => references.#readBlocks());
  }

  async #readBlocks(): Promise<void> {
    for (let line = await this.line(); line !== 'ready'; line = await this.line()) {
      const [kind = '', address = '', size] = line.split(' ');
      this.blocks.push({ kind, address: Number.parseInt(address, 16), size: Number(size) });
    }
    this.blocks.sort((a, b) => a.address - b.address);
  }
}
