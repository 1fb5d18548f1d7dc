/**
 * Functions of a unit, and what is inlined where in them. `dwarf_getscopes` of libdw does not enter
 * what has no addresses of its own: it misses functions within namespaces (clang, rustc), and those
 * nested in functions that end before (OpenMP, GNU C).
 */
import koffi from 'koffi';

/** A Dwarf_Die: at an address of the library, or a copy. */
export type Die = bigint | Uint8Array;

export type Scopes = ReturnType<typeof declareScopes>;

export function declareScopes(dw: ReturnType<typeof koffi.load>) {
  koffi.proto('int mw_each_die(void *die, void *argument)');
  const native = {
    functions: dw.func(
      'int64_t dwarf_getfuncs(void *unit, mw_each_die *each, void *argument, int64_t from)',
    ) as (unit: Die, each: (die: bigint) => number, argument: null, from: number) => number,
    offset: dw.func('uint64_t dwarf_dieoffset(void *die)') as (die: Die) => number | bigint,
    dieAt: dw.func('void *dwarf_offdie(void *dwarf, uint64_t offset, void *die)') as (
      dwarf: bigint,
      offset: number,
      die: Die,
    ) => bigint | null,
    child: dw.func('int dwarf_child(void *die, void *child)') as (die: Die, child: Die) => number,
    next: dw.func('int dwarf_siblingof(void *die, void *next)') as (die: Die, next: Die) => number,
    tag: dw.func('int dwarf_tag(void *die)') as (die: Die) => number,
    holds: dw.func('int dwarf_haspc(void *die, uint64_t address)') as (
      die: Die,
      address: bigint,
    ) => number,
    hasAttribute: dw.func('int dwarf_hasattr(void *die, unsigned int name)') as (
      die: Die,
      name: number,
    ) => number,
  };

  /** Each has to be used before the next is asked for. */
  function* childrenOf(die: Die): Generator<{ readonly die: Uint8Array; readonly tag: number }> {
    const at = new Uint8Array(DIE_SIZE);
    for (let end = native.child(die, at); end === 0; end = native.next(at, at)) {
      yield { die: at, tag: native.tag(at) };
    }
  }

  function isPlaced(die: Die): boolean {
    return PLACES.some((name) => native.hasAttribute(die, name) !== 0);
  }

  /** The inlined functions and blocks of `die` that hold the address, outermost first. */
  function within(die: Die, address: bigint, depth: number): Uint8Array[] {
    if (depth >= MAX_DEPTH) return [];
    for (const { die: child, tag } of childrenOf(die)) {
      const isBlock = BLOCKS.has(tag);
      if (!isBlock && tag !== DW_TAG_INLINED_SUBROUTINE) continue;
      const holds = native.holds(child, address) > 0;
      // A block may leave it to what is in it to say where it is.
      if (!holds && (!isBlock || isPlaced(child))) continue;
      const inner = within(child, address, depth + 1);
      if (holds || inner.length > 0) return [child.slice(), ...inner];
    }
    return [];
  }

  function eachNested(die: Die, use: (die: Die) => boolean, depth: number): boolean {
    if (depth >= MAX_DEPTH) return true;
    for (const { die: child, tag } of childrenOf(die)) {
      const isFunction = tag === DW_TAG_SUBPROGRAM;
      if (isFunction && !use(child)) return false;
      if ((isFunction || BLOCKS.has(tag)) && !eachNested(child, use, depth + 1)) return false;
    }
    return true;
  }

  return {
    /** All functions of a unit wherever they are declared, until `use` has enough (false). */
    eachFunction(unit: Die, use: (die: Die) => boolean): void {
      native.functions(unit, (die) => (use(die) ? DWARF_CB_OK : DWARF_CB_ABORT), null, 0);
    },
    /** The functions within a function; in units of C the library gives none of them. */
    eachNested: (die: Die, use: (die: Die) => boolean): void => void eachNested(die, use, 0),

    /** What `dieAt` finds it by. */
    offset: (die: Die): number => Number(native.offset(die)),
    dieAt(dwarf: bigint, offset: number): Uint8Array | undefined {
      const die = new Uint8Array(DIE_SIZE);
      return native.dieAt(dwarf, offset, die) === null ? undefined : die;
    },

    /** The function and what of it holds the address, innermost first. */
    nest: (die: Uint8Array, address: bigint): Die[] => [die, ...within(die, address, 0)].reverse(),
  };
}

/** Bytes of the library's structure. */
export const DIE_SIZE = 32;
const DWARF_CB_OK = 0;
const DWARF_CB_ABORT = 1;
const DW_TAG_SUBPROGRAM = 0x2e;
const DW_TAG_INLINED_SUBROUTINE = 0x1d;
/** Lexical block, catch block, try block, with statement. */
const BLOCKS = new Set([0x0b, 0x25, 0x32, 0x22]);
/** DW_AT_low_pc, DW_AT_ranges. */
const PLACES = [0x11, 0x55];
/** Of blocks and inlined functions in each other. */
const MAX_DEPTH = 512;
