/** /proc/kallsyms, read once and searched as bytes: 120,000 symbols would be a costly map. */
import { readFileSync } from 'node:fs';

export interface KernelSymbol {
  /** 0 where the kernel hides addresses from us. */
  readonly address: bigint;
  /** As nm prints it: `t` and `T` are code, `d`, `D`, `b`, `B`, `r`, `R` data. */
  readonly type: string;
}

export class KernelSymbols {
  readonly #text: Buffer;

  /** Throws what reading throws. */
  static fromFile(file: string): KernelSymbols {
    return new KernelSymbols(readFileSync(file));
  }

  constructor(text: Buffer) {
    this.#text = text;
  }

  /** Every symbol of exactly that name: static ones may share it. */
  find(name: string): KernelSymbol[] {
    const found: KernelSymbol[] = [];
    const wanted = Buffer.from(` ${name}`);
    for (
      let at = this.#text.indexOf(wanted);
      at >= 0;
      at = this.#text.indexOf(wanted, at + wanted.length)
    ) {
      const after = this.#text[at + wanted.length];
      const isWhole = after === undefined || after === 0x0a || after === 0x09;
      if (!isWhole) continue;
      const start = this.#text.lastIndexOf(0x0a, at) + 1;
      const [address = '', type = ''] = this.#text.toString('latin1', start, at).split(' ');
      found.push({ address: BigInt(`0x${address || '0'}`), type });
    }
    return found;
  }
}
