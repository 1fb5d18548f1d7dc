/**
 * How a function's frame is undone at each of its instructions, as the compiler's call frame
 * instructions say (DWARF 5, section 6.4), for x86-64 and as far as three numbers can say it.
 */
import type { DwarfReader } from './dwarf-reader.js';
import { invalid } from './elf-bytes.js';

/** DWARF's numbers of registers. */
const RBP = 6;
const RSP = 7;
const RETURN = 16;

/** What holds for the instructions from `start` up to `end`, virtual addresses. */
export type UnwindRow = { readonly start: number; readonly end: number } & UnwindRule;

export type UnwindRule =
  /**
   * The caller's stack pointer is `cfa` + `offset`; the return address lies 8 bytes below it, and
   * the caller's rbp at `rbp` from it, or is unchanged where that is undefined.
   */
  | {
      readonly kind: 'frame';
      readonly cfa: 'rsp' | 'rbp';
      readonly offset: number;
      readonly rbp: number | undefined;
    }
  /** There is no caller: a thread begins here. */
  | { readonly kind: 'outermost' }
  /** More than such a rule can say, for instance of a signal's frame or of a stack that is aligned. */
  | { readonly kind: 'inexpressible' };

export interface Alignment {
  readonly code: number;
  readonly data: number;
  /** Of addresses in `set_loc`. */
  readonly encoding: number;
}

/** Of a register: at an offset from the CFA, `same` as it is, none, or something else. */
type Rule = number | 'same' | 'none' | 'other';

interface State {
  readonly register: number;
  /** undefined: by an expression. */
  readonly offset: number | undefined;
  readonly rbp: Rule;
  readonly ra: Rule;
}

const MAX_STEPS = 20_000;
const MAX_REMEMBERED = 64;

const INITIAL: State = { register: -1, offset: undefined, rbp: 'same', ra: 'same' };

/** The state that a CIE's instructions lead to. */
export function initialState(reader: DwarfReader, alignment: Alignment): State {
  let last = INITIAL;
  for (const { state } of run(reader, alignment, INITIAL, 0)) last = state;
  return last;
}

/** Rows of a function from `start` to `end`, in order, the last up to its end. */
export function* unwindRows(
  reader: DwarfReader,
  alignment: Alignment,
  initial: State,
  { start, end }: { readonly start: number; readonly end: number },
): Generator<UnwindRow> {
  let from = start;
  for (const { state, until } of run(reader, alignment, initial, start)) {
    const to = Math.min(until ?? end, end);
    if (to > from) yield { start: from, end: to, ...ruleOf(state) };
    from = Math.max(from, to);
  }
}

function ruleOf({ register, offset, rbp, ra }: State): UnwindRule {
  if (ra === 'none') return { kind: 'outermost' };
  const base = register === RSP ? 'rsp' : register === RBP ? 'rbp' : undefined;
  const saved = typeof rbp === 'number' ? rbp : undefined;
  if (base === undefined || offset === undefined || ra !== -8 || rbp === 'other') {
    return { kind: 'inexpressible' };
  }
  return { kind: 'frame', cfa: base, offset, rbp: saved };
}

/** Each state with the address up to which it holds; the last with none. */
function* run(
  reader: DwarfReader,
  { code, data, encoding }: Alignment,
  initial: State,
  start: number,
): Generator<{ readonly state: State; readonly until: number | undefined }> {
  let state = initial;
  let location = start;
  const remembered: State[] = [];
  const set = (register: number, rule: Rule) => {
    if (register === RBP) state = { ...state, rbp: rule };
    else if (register === RETURN) state = { ...state, ra: rule };
  };
  const restore = (register: number) =>
    set(register, register === RBP ? initial.rbp : register === RETURN ? initial.ra : 'same');
  for (let steps = 0; !reader.done; steps++) {
    if (steps > MAX_STEPS) throw invalid('frame instructions without an end');
    const byte = reader.u8();
    const low = byte & 0x3f;
    let advance: number | undefined;
    switch (byte >> 6) {
      case 1:
        advance = low;
        break;
      case 2:
        set(low, reader.uleb() * data);
        continue;
      case 3:
        restore(low);
        continue;
      default:
    }
    switch (advance === undefined ? low : -1) {
      case -1: // advance_loc
      case 0x00: // nop
        break;
      case 0x01: // set_loc
        advance = ((reader.pointer(encoding) ?? location) - location) / code;
        break;
      case 0x02: // advance_loc1
        advance = reader.u8();
        break;
      case 0x03: // advance_loc2
        advance = reader.u16();
        break;
      case 0x04: // advance_loc4
        advance = reader.u32();
        break;
      case 0x05: // offset_extended
        set(reader.uleb(), reader.uleb() * data);
        break;
      case 0x06: // restore_extended
        restore(reader.uleb());
        break;
      case 0x07: // undefined
        set(reader.uleb(), 'none');
        break;
      case 0x08: // same_value
        set(reader.uleb(), 'same');
        break;
      case 0x09: // register
        set(reader.uleb(), 'other');
        reader.uleb();
        break;
      case 0x0a: // remember_state
        if (remembered.length === MAX_REMEMBERED) throw invalid('too many states remembered');
        remembered.push(state);
        break;
      case 0x0b: // restore_state
        state = remembered.pop() ?? initial;
        break;
      case 0x0c: // def_cfa
        state = { ...state, register: reader.uleb(), offset: reader.uleb() };
        break;
      case 0x0d: // def_cfa_register
        state = { ...state, register: reader.uleb() };
        break;
      case 0x0e: // def_cfa_offset
        state = { ...state, offset: reader.uleb() };
        break;
      case 0x0f: // def_cfa_expression
        reader.skip(reader.uleb());
        state = { ...state, offset: undefined };
        break;
      case 0x10: // expression
      case 0x16: // val_expression
        set(reader.uleb(), 'other');
        reader.skip(reader.uleb());
        break;
      case 0x11: // offset_extended_sf
        set(reader.uleb(), reader.sleb() * data);
        break;
      case 0x12: // def_cfa_sf
        state = { ...state, register: reader.uleb(), offset: reader.sleb() * data };
        break;
      case 0x13: // def_cfa_offset_sf
        state = { ...state, offset: reader.sleb() * data };
        break;
      case 0x14: // val_offset
        set(reader.uleb(), 'other');
        reader.uleb();
        break;
      case 0x15: // val_offset_sf
        set(reader.uleb(), 'other');
        reader.sleb();
        break;
      case 0x2e: // GNU_args_size
        reader.uleb();
        break;
      default:
        throw invalid(`the frame instruction 0x${byte.toString(16)}`);
    }
    if (advance === undefined || advance === 0) continue;
    const next = location + advance * code;
    if (next < location) throw invalid('frame instructions that go back');
    yield { state, until: next };
    location = next;
  }
  yield { state, until: undefined };
}
