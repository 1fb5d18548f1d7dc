/** Units and functions of a file by address. libdw searches a unit anew for each address. */
import type { LibDw, Pointer } from './libdw.js';
import type { Die } from './libdw-scopes.js';
import { RangeIndex } from './range-index.js';

export class UnitIndex {
  readonly #dw: LibDw;
  readonly #module: Pointer;
  readonly #dwarf: Pointer;
  /** What is added to addresses of the debug file. */
  readonly bias: bigint;
  #units: { readonly ranges: RangeIndex; readonly dies: Pointer[] } | undefined;
  readonly #functions = new Map<Pointer, RangeIndex>();
  #functionCount = 0;

  constructor(dw: LibDw, module: Pointer, of: { readonly dwarf: Pointer; readonly bias: bigint }) {
    this.#dw = dw;
    this.#module = module;
    this.#dwarf = of.dwarf;
    this.bias = of.bias;
  }

  /** By .debug_aranges, which not every compiler writes; else by where the units say that they are. */
  unitAt(address: bigint): Pointer | undefined {
    const unit = this.#dw.unitAt(this.#module, address);
    if (unit !== undefined) return unit;
    this.#units ??= this.#allUnits();
    const found = this.#units.ranges.find(address - this.bias);
    return found === undefined ? undefined : this.#units.dies[found];
  }

  /** The innermost function of the unit at an address of the debug file, and what is inlined there. */
  scopesAt(unit: Pointer, address: bigint): Die[] {
    const found = this.#functionsOf(unit).find(address);
    const die = found === undefined ? undefined : this.#dw.dieAt(this.#dwarf, found);
    return die === undefined ? [] : this.#dw.nest(die, address);
  }

  #functionsOf(unit: Pointer): RangeIndex {
    const known = this.#functions.get(unit);
    if (known !== undefined) return known;
    if (this.#functionCount >= MAX_FUNCTIONS) this.#forgetFunctions();
    const ranges = new RangeIndex();
    const offsets: number[] = [];
    const use = (die: Die) => {
      const offset = this.#dw.offset(die);
      const before = ranges.size;
      for (const [start, end] of this.#dw.ranges(die, MAX_PARTS)) ranges.add(start, end, offset);
      if (ranges.size > before) offsets.push(offset);
      return ranges.size < MAX_FUNCTIONS;
    };
    this.#dw.eachFunction(unit, use);
    if (C.has(this.#dw.number(unit, DW_AT_LANGUAGE) ?? 0)) {
      for (const offset of [...offsets]) {
        const die = this.#dw.dieAt(this.#dwarf, offset);
        if (die !== undefined) this.#dw.eachNested(die, use);
      }
    }
    this.#functions.set(unit, ranges);
    this.#functionCount += ranges.size;
    return ranges;
  }

  #forgetFunctions(): void {
    this.#functions.clear();
    this.#functionCount = 0;
  }

  #allUnits() {
    const ranges = new RangeIndex();
    const dies: Pointer[] = [];
    let unit = this.#dw.nextUnit(this.#module, null);
    while (unit !== undefined && dies.length < MAX_UNITS) {
      for (const [start, end] of this.#dw.ranges(unit, MAX_RANGES)) {
        ranges.add(start, end, dies.length);
      }
      dies.push(unit);
      unit = this.#dw.nextUnit(this.#module, unit);
    }
    return { ranges, dies };
  }
}

const DW_AT_LANGUAGE = 0x13;
/** DW_LANG_C89, C, C99, C11, C17. */
const C = new Set([0x01, 0x02, 0x0c, 0x1d, 0x2c]);
const MAX_UNITS = 1 << 18;
const MAX_RANGES = 1 << 14;
/** Of a function. */
const MAX_PARTS = 64;
/** Remembered at a time, of 24 bytes and what they were sorted from. */
const MAX_FUNCTIONS = 1 << 20;
