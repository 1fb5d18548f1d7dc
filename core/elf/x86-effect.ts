/**
 * What instructions do that compilers put before a function's first push: whether a probe behind
 * them sees the same arguments, stack and caller as one before.
 */
import type { Instruction, ModRm } from './x86-decode.js';

const RSP = 4;
const RDI = 7;
/** In the order in which a call passes its arguments: rdi rsi rdx rcx r8 r9. */
const ARGUMENTS = [RDI, 6, 2, 1, 8, 9] as const;
/** rsp has the stack, rbp the caller's frame. */
const ALWAYS_KEPT = [RSP, 5] as const;

/** Registers that must stay as they are, of a function with so many arguments. */
export function keptRegisters(count: number): ReadonlySet<number> {
  return new Set([...ALWAYS_KEPT, ...ARGUMENTS.slice(0, count)]);
}

/** `push` of a register, with no more than REX.B before it. */
export function isPush({ map, opcode, prefixes, rex }: Instruction): boolean {
  const plain = prefixes.length === 0 && (rex === 0 || rex === 0x41);
  return map === 'one' && opcode >= 0x50 && opcode <= 0x57 && plain;
}

/** `test rdi,rdi`: whether the first argument is 0. */
export function isNullCheck({ map, opcode, modrm, prefixes, rex }: Instruction): boolean {
  const wide = (rex & 8) !== 0;
  const both = modrm?.mod === 3 && modrm.reg === RDI && modrm.rm === RDI;
  return map === 'one' && opcode === 0x85 && wide && both && prefixes.length === 0;
}

/** `sub rsp, n`. */
export function movesStack({ map, opcode, modrm, prefixes, rex }: Instruction): boolean {
  const sub = (opcode === 0x83 || opcode === 0x81) && modrm?.reg === 5;
  const stack = modrm?.mod === 3 && modrm.rm === RSP;
  return map === 'one' && sub && stack && (rex & 8) !== 0 && prefixes.length === 0;
}

/**
 * Changes nothing but flags and registers that a call may change, and nobody looks at: none of
 * `kept`.
 */
export function isHarmless(instruction: Instruction, kept: ReadonlySet<number>): boolean {
  const { map, opcode, modrm, prefixes, rex } = instruction;
  if (isEndbr(instruction)) return true;
  if (prefixes.some((one) => one !== 0x66 && one !== 0x64)) return false;
  const isFree = (register: number) => !kept.has(register);
  if (map === '0f') {
    if (opcode === 0x1f) return true;
    return modrm !== undefined && writesRegister(opcode) && isFree(modrm.reg);
  }
  if (map !== 'one') return false;
  if (opcode === 0x90) return rex === 0;
  if (opcode >= 0xb8 && opcode <= 0xbf) return isFree((opcode & 7) | ((rex & 1) << 3));
  if (modrm === undefined) return TO_RAX.has(opcode);
  const written = writtenBy(opcode, modrm);
  return written === 'nothing' || (typeof written === 'number' && isFree(written));
}

/** Of the map 0F: movzx, movsx, imul and cmov, into the register of ModRM. */
function writesRegister(opcode: number): boolean {
  return [0xaf, 0xb6, 0xb7, 0xbe, 0xbf].includes(opcode) || (opcode >= 0x40 && opcode <= 0x4f);
}

/** With rax or its parts and a constant: add or adc sbb and sub xor cmp, test. */
const TO_RAX: ReadonlySet<number> = new Set([
  0x04, 0x05, 0x0c, 0x0d, 0x14, 0x15, 0x1c, 0x1d, 0x24, 0x25, 0x2c, 0x2d, 0x34, 0x35, 0x3c, 0x3d,
  0xa8, 0xa9,
]);

/** The register, `nothing` but flags, or undefined: memory, or what is not known here. */
function writtenBy(opcode: number, modrm: ModRm): number | 'nothing' | undefined {
  const operand = modrm.mod === 3 ? modrm.rm : undefined;
  const extension = modrm.reg & 7;
  switch (opcode) {
    // cmp, test: whatever they look at
    case 0x38:
    case 0x39:
    case 0x3a:
    case 0x3b:
    case 0x84:
    case 0x85:
      return 'nothing';
    // mov, movsxd, lea, imul into a register
    case 0x8b:
    case 0x63:
    case 0x8d:
    case 0x69:
    case 0x6b:
      return modrm.reg;
    case 0x89:
      return operand;
    case 0xc7:
      return extension === 0 ? operand : undefined;
    // add or adc sbb and sub xor with a constant; cmp changes nothing
    case 0x80:
      return extension === 7 ? 'nothing' : undefined;
    case 0x81:
    case 0x83:
      return extension === 7 ? 'nothing' : operand;
    // shl, shr, sar by a constant or by one
    case 0xc1:
    case 0xd1:
      return [4, 5, 7].includes(extension) ? operand : undefined;
    // test with a constant
    case 0xf6:
    case 0xf7:
      return extension === 0 ? 'nothing' : undefined;
    default:
      return arithmetic(opcode, modrm, operand);
  }
}

/** add or adc sbb and sub xor of registers, whole or by half. */
function arithmetic(opcode: number, { reg }: ModRm, operand: number | undefined) {
  if (opcode >= 0x38) return undefined;
  if ((opcode & 7) === 1) return operand;
  return (opcode & 7) === 3 ? reg : undefined;
}

/** `f3 0f 1e fa`: says that one may come here by a pointer. */
function isEndbr({ map, opcode, prefixes, modrm, length }: Instruction): boolean {
  const plain = prefixes.length === 1 && prefixes[0] === 0xf3 && length === 4;
  return map === '0f' && opcode === 0x1e && plain && modrm?.mod === 3 && modrm.rm === 2;
}
