/**
 * What the instructions of a BPF object ask the kernel for: by program the helpers that it calls and
 * the maps that it refers to, its subprograms included. A call behind a condition that the kernel
 * decides (CO-RE, `const volatile`) counts as well: whether it is reached is for the verifier to say.
 */
import { ElfFile } from '../elf/elf-file.js';
import type { Section } from '../elf/header.js';
import { helperName } from './helpers.js';

export interface ProgramUses {
  readonly name: string;
  /** The ELF section, for instance `tp_btf/sched_switch`. */
  readonly section: string;
  /** By the names of bpf-helpers(7), sorted. */
  readonly helpers: readonly string[];
  /** By name, sorted; those of global variables among them (`.bss`). */
  readonly maps: readonly string[];
}

/** One call of a helper. */
export interface HelperCall {
  readonly helper: string;
  /** Where the object file has its number: 4 bytes. */
  readonly fileOffset: number;
}

const SHT_REL = 9;
const SYMBOL_SIZE = 24;
const RELOCATION_SIZE = 16;
const INSTRUCTION = 8;
const STT_FUNC = 2;
const STT_SECTION = 3;
/** BPF_JMP | BPF_CALL; the source register says of what: 0 of a helper, 1 of a subprogram. */
const CALL = 0x85;
const PSEUDO_CALL = 1;

interface Symbol {
  readonly name: string;
  readonly kind: number;
  readonly section: number;
  readonly value: number;
  readonly size: number;
}

interface Body {
  readonly name: string;
  readonly section: number;
  readonly helpers: HelperCall[];
  readonly maps: Set<string>;
  /** Places that it calls: `section:offset`. */
  readonly callees: Set<string>;
}

export function programUses(file: Uint8Array): readonly ProgramUses[] {
  const { sections, bodies } = readBodies(file);
  return [...bodies.values()].flatMap((body): ProgramUses[] => {
    const section = sections[body.section]?.name ?? '';
    if (section === '.text') return [];
    const reached = reachedFrom(body, bodies);
    const helpers = reached.flatMap(({ helpers }) => helpers.map(({ helper }) => helper));
    const maps = reached.flatMap((each) => [...each.maps]);
    return [{ name: body.name, section, helpers: sorted(helpers), maps: sorted(maps) }];
  });
}

export function helperCalls(file: Uint8Array): readonly HelperCall[] {
  return [...readBodies(file).bodies.values()].flatMap(({ helpers }) => helpers);
}

const sorted = (names: readonly string[]) => [...new Set(names)].sort();

function reachedFrom(start: Body, bodies: ReadonlyMap<string, Body>): Body[] {
  const reached = new Set([start]);
  for (const body of reached) {
    for (const place of body.callees) {
      const callee = bodies.get(place);
      if (callee) reached.add(callee);
    }
  }
  return [...reached];
}

/** Every function of the object by the place where it begins. */
function readBodies(file: Uint8Array): {
  sections: readonly Section[];
  bodies: ReadonlyMap<string, Body>;
} {
  const elf = ElfFile.of(file);
  const { sections } = elf;
  const symbols = readSymbols(elf);
  const bodies = new Map<string, Body>();
  for (const { name, kind, section, value, size } of symbols) {
    const code = sections[section];
    if (kind !== STT_FUNC || code === undefined) continue;
    const body: Body = { name, section, helpers: [], maps: new Set(), callees: new Set() };
    const relocations = relocationsOf(elf, section);
    const view = elf.bytes.read(code.offset + value, size);
    for (let at = 0; at + INSTRUCTION <= size; at += INSTRUCTION) {
      const target = symbols[relocations.get(value + at) ?? -1];
      readInstruction(body, view, at, value + at, target, sections);
    }
    bodies.set(`${section}:${value}`, body);
  }
  return { sections, bodies };
}

function readInstruction(
  body: Body,
  view: DataView,
  at: number,
  sectionOffset: number,
  target: Symbol | undefined,
  sections: readonly Section[],
): void {
  const isCall = view.getUint8(at) === CALL;
  const source = view.getUint8(at + 1) >> 4;
  const number = view.getInt32(at + 4, true);
  if (isCall && source === 0 && target === undefined) {
    const fileOffset = (sections[body.section]?.offset ?? 0) + sectionOffset + 4;
    body.helpers.push({ helper: helperName(number), fileOffset });
  } else if (isCall && source === PSEUDO_CALL) {
    body.callees.add(calleeOf(body, sectionOffset, number, target));
  } else if (target !== undefined) {
    const section = sections[target.section]?.name ?? '';
    if (section === '.maps') body.maps.add(target.name);
    else if (section.startsWith('.')) body.maps.add(section);
  }
}

/** `number` counts instructions from the next one on: of the caller's section if not relocated. */
function calleeOf(
  { section }: Body,
  sectionOffset: number,
  number: number,
  target: Symbol | undefined,
): string {
  const distance = (number + 1) * INSTRUCTION;
  if (target === undefined) return `${section}:${sectionOffset + distance}`;
  return `${target.section}:${target.kind === STT_SECTION ? distance : target.value}`;
}

function readSymbols(elf: ElfFile): Symbol[] {
  const table = elf.section('.symtab');
  const names = table && elf.sections[table.link];
  if (table === undefined || names === undefined) return [];
  const view = elf.bytes.read(table.offset, table.size);
  const text = elf.bytes.read(names.offset, names.size);
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  return Array.from({ length: Math.floor(table.size / SYMBOL_SIZE) }, (_, n): Symbol => {
    const at = n * SYMBOL_SIZE;
    const nameAt = view.getUint32(at, true);
    return {
      name: bytes.toString('latin1', nameAt, bytes.indexOf(0, nameAt)),
      kind: view.getUint8(at + 4) & 0xf,
      section: view.getUint16(at + 6, true),
      value: Number(view.getBigUint64(at + 8, true)),
      size: Number(view.getBigUint64(at + 16, true)),
    };
  });
}

/** By the offset in the section that is relocated: the index of the symbol. */
function relocationsOf(elf: ElfFile, section: number): ReadonlyMap<number, number> {
  const code = elf.sections[section];
  const table = elf.sections.find(
    ({ type, name }) => type === SHT_REL && name === `.rel${code?.name}`,
  );
  if (table === undefined) return new Map();
  const view = elf.bytes.read(table.offset, table.size);
  return new Map(
    Array.from({ length: Math.floor(table.size / RELOCATION_SIZE) }, (_, n) => [
      Number(view.getBigUint64(n * RELOCATION_SIZE, true)),
      view.getUint32(n * RELOCATION_SIZE + 12, true),
    ]),
  );
}
