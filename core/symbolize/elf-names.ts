/** One file as the child sees it where there is no libdw: the functions of its symbol tables. */
import { ElfFile, type ElfFunction } from '../elf/elf-file.js';
import type { Demangle } from './demangle.js';
import type { FoundFrame } from './wire.js';

export class ElfNames {
  readonly #functions: readonly ElfFunction[];
  readonly #demangle: Demangle;
  readonly #lack: string;

  /** Throws if it is no ELF file. `lack`: why there is no more than names. */
  constructor(fd: number, demangle: Demangle, lack: string) {
    this.#functions = ElfFile.open(fd).functions(/^/);
    this.#demangle = demangle;
    this.#lack = lack;
  }

  look(address: bigint): FoundFrame[] {
    const found = this.#find(Number(address));
    const [name] = found?.names ?? [];
    if (found === undefined || name === undefined) return [{ inlined: false, lack: this.#lack }];
    const begin = found.address.toString(16);
    return [{ name: this.#demangle(name), begin, inlined: false, lack: this.#lack }];
  }

  #find(address: number): ElfFunction | undefined {
    let low = 0;
    let high = this.#functions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#functions[middle]?.address ?? 0) <= address) low = middle + 1;
      else high = middle;
    }
    const below = this.#functions[low - 1];
    // What says no size, such as code of an assembler, goes as far as the next.
    const isInside = below && (below.size === 0 || address < below.address + below.size);
    return isInside ? below : undefined;
  }
}
