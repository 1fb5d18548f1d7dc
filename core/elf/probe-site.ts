/**
 * Where an entry probe goes so that a hit is cheap. The kernel emulates a few instructions (push,
 * relative jumps and calls, nop: arch/x86/kernel/uprobes.c) at about a microsecond a hit; all others,
 * `endbr64` and `test` among them, it steps through with two more traps, at ten to twenty times
 * that. So the probe goes to the first of the few, if what is before it can neither change an
 * argument, nor the stack, nor leave: then the program sees there what it would see at the entry.
 *
 * What is not known for certain ends the search, and the probe goes to the entry. So it does on
 * other machines than x86-64: arm64 simulates only branches and the like, and its functions begin
 * with `stp`.
 */
import type { ElfFile, ElfFunction } from './elf-file.js';
import { decode, type Instruction } from './x86-decode.js';
import { isHarmless, isNullCheck, isPush, keptRegisters, movesStack } from './x86-effect.js';

export interface ProbePlace {
  /** Bytes into the file where the function begins. */
  readonly entry: number;
  /** Bytes into the file where the entry probe is put. */
  readonly offset: number;
  /**
   * Whether the stack pointer is there what it is at the entry, at the return address: then a return
   * probe or a session may go there too, and costs no second breakpoint. Else these go to the entry.
   */
  readonly sameStack: boolean;
  /** Whether the kernel emulates what is there. */
  readonly emulated: boolean;
}

export interface ProbeOptions {
  /** How many arguments must be there as the caller gave them; all six if not said. */
  readonly arguments?: number;
  /** Calls with 0 for the first argument may be missed: of `free`, they do nothing. */
  readonly skipNull?: boolean;
  /** Also behind `sub rsp`, for a probe that neither looks at the stack nor sees the return. */
  readonly anyStack?: boolean;
}

/** Honest prologues need a fifth of it. */
const MAX_DISTANCE = 64;
/** Larger functions are not searched for jumps to their beginning. */
const MAX_FUNCTION = 64 << 10;

/** `fn` as `elf.functions` gives it. ELF_INVALID only if the file has become shorter. */
export function probeSite(
  elf: ElfFile,
  fn: Pick<ElfFunction, 'offset' | 'size'>,
  options: ProbeOptions = {},
): ProbePlace {
  const entry = fn.offset;
  const unsearched = { entry, offset: entry, sameStack: true, emulated: false };
  if (elf.machine !== 'x86_64' || fn.size === 0 || fn.size > MAX_FUNCTION) return unsearched;
  if (entry + fn.size > elf.bytes.size) return unsearched;
  const view = elf.bytes.read(entry, fn.size);
  const code = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const site = findSite(code, options);
  return { entry, offset: entry + site.at, sameStack: site.sameStack, emulated: site.emulated };
}

export interface Site {
  /** Bytes from the function's beginning. */
  readonly at: number;
  readonly sameStack: boolean;
  readonly emulated: boolean;
}

/** The place in a function of which `code` is all. Pure. */
export function findSite(code: Uint8Array, options: ProbeOptions = {}): Site {
  const candidates = [...walk(code, options)];
  const furthest = candidates.at(-1)?.at ?? 0;
  const first = furthest === 0 ? undefined : firstJumpInto(code, furthest);
  // What is jumped to from elsewhere is passed without a call, or more often than once in one.
  const reached = candidates.filter(({ at }) => first === undefined || at < first);
  // A push is written to the stack, which takes longer than a jump; else the fewer come by.
  const best = reached.findLast(({ isPush }) => !isPush) ?? reached.at(-1);
  return best === undefined
    ? { at: 0, sameStack: true, emulated: false }
    : { at: best.at, sameStack: best.sameStack, emulated: true };
}

interface Candidate {
  readonly at: number;
  readonly sameStack: boolean;
  readonly isPush: boolean;
}

/** Places that are as good as the entry and cheaper, in their order. */
function* walk(code: Uint8Array, options: ProbeOptions): Generator<Candidate> {
  const { skipNull, anyStack } = options;
  const kept = keptRegisters(options.arguments ?? 6);
  let sameStack = true;
  let checked = false;
  for (let at = 0; at < MAX_DISTANCE; ) {
    const instruction = decode(code, at);
    if (instruction === undefined) return;
    const emulated = isEmulated(instruction);
    if (emulated) yield { at, sameStack, isPush: isPush(instruction) };
    // Behind the jump of those that come with nothing only the others come by.
    const passes = skipNull === true && checked && isJumpIfZero(instruction);
    if (emulated && !passes) return;
    if (!emulated && !isHarmless(instruction, kept)) {
      if (anyStack !== true || !movesStack(instruction)) return;
      sameStack = false;
    }
    checked = isNullCheck(instruction);
    at += instruction.length;
  }
}

/** What all kernels since 5.10 emulate, and none refuses. */
export function isEmulated(instruction: Instruction): boolean {
  const { map, opcode, prefixes, rex } = instruction;
  if (prefixes.length > 0) return false;
  if (isPush(instruction)) return true;
  if (rex !== 0) return false;
  if (map === '0f') return opcode >= 0x80 && opcode <= 0x8f;
  if (map !== 'one') return false;
  return (opcode >= 0x70 && opcode <= 0x7f) || [0xe8, 0xe9, 0xeb, 0x90].includes(opcode);
}

function isJumpIfZero({ map, opcode }: Instruction): boolean {
  return (map === 'one' && opcode === 0x74) || (map === '0f' && opcode === 0x84);
}

/**
 * The first place in (0, until] that something in the function may jump to; undefined if nothing
 * does. What cannot be read, or jumps by a table, may jump anywhere.
 */
function firstJumpInto(code: Uint8Array, until: number): number | undefined {
  let first: number | undefined;
  for (let at = 0; at < code.length; ) {
    const instruction = decode(code, at);
    // Padding at the end may be cut; what is not understood earlier may be anything.
    if (instruction === undefined) return code.length - at < MAX_PADDING ? first : 1;
    if (jumpsByTable(instruction)) return 1;
    at += instruction.length;
    const target = at + (instruction.distance ?? Number.NaN);
    if (target > 0 && target <= until) first = Math.min(first ?? target, target);
  }
  return first;
}

const MAX_PADDING = 15;

/** `jmp *%rax` and `jmp *table(,%rax,8)`; but not `jmp *name(%rip)`, which leaves the function. */
function jumpsByTable({ map, opcode, modrm }: Instruction): boolean {
  if (map !== 'one' || opcode !== 0xff || modrm === undefined || (modrm.reg & 7) !== 4)
    return false;
  return modrm.mod === 3 || !(modrm.mod === 0 && (modrm.rm & 7) === 5);
}
