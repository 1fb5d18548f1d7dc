/** A profile in pprof's terms, before it is bytes: samples, and tables of what they share. */
import { basename } from 'node:path';
import { harmless } from '../../../core/cli/text.js';
import type { Frame } from '../../../core/symbolize/frame.js';
import type { LeakStack } from '../model.js';
import { type Call, callsOf, isKernel } from './frames.js';

const PAGE = 4096n;
const KERNEL_FILE = '[kernel.kallsyms]';

export interface Mapping {
  readonly id: number;
  /** Addresses of what was seen in it, by pages: nobody kept the whole. */
  start: bigint;
  limit: bigint;
  /** Bytes into the file at `start`. */
  offset: bigint;
  readonly file: number;
  readonly buildId: number;
  hasFunctions: boolean;
  hasLines: boolean;
}

export interface Line {
  readonly functionId: number;
  readonly line: number;
}

export interface Location {
  readonly id: number;
  /** 0: in no file. */
  readonly mapping: number;
  readonly address: bigint;
  /** Innermost inlined first; the last is the function that the address is in. Empty: no name. */
  readonly lines: readonly Line[];
}

export interface FunctionEntry {
  readonly id: number;
  readonly name: number;
  readonly file: number;
}

/** Numbers things by what they are, from 1. */
class Numbered<T> {
  readonly all: T[] = [];
  readonly #known = new Map<string, T>();

  get(key: string, make: (id: number) => T): T {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = make(this.all.length + 1);
    this.all.push(made);
    this.#known.set(key, made);
    return made;
  }
}

export class ProfileTables {
  /** The first is empty, as the format asks. */
  readonly strings: string[] = [''];
  readonly #strings = new Map([['', 0]]);
  readonly #mappings = new Numbered<Mapping>();
  readonly #locations = new Numbered<Location>();
  readonly #functions = new Numbered<FunctionEntry>();

  get mappings(): readonly Mapping[] {
    return this.#mappings.all;
  }

  get locations(): readonly Location[] {
    return this.#locations.all;
  }

  get functions(): readonly FunctionEntry[] {
    return this.#functions.all;
  }

  /** Made harmless: pprof prints what it is given. */
  string(text: string): number {
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    const index = this.strings.push(harmless(text).toWellFormed()) - 1;
    this.#strings.set(text, index);
    return index;
  }

  /** Readers take the first mapping for the program: its executable's, if any frame is in it. */
  begin(stacks: readonly LeakStack[], executables: readonly string[]): void {
    const frames = stacks.flatMap((stack) => callsOf(stack).map(({ frame }) => frame));
    const own = frames.find(({ module = '' }) => executables.includes(basename(module)));
    if (own) this.#mapping(own);
  }

  /** The stack's locations, innermost first. */
  locationsOf(stack: LeakStack): number[] {
    return callsOf(stack).map((call) => this.#location(call).id);
  }

  #location({ frame, inlined }: Call): Location {
    const mapping = this.#mapping(frame);
    const chain = [...inlined, frame];
    // Two processes may have different code at one address.
    const names = chain.map(({ function: name, file, line }) => [name, file, line]);
    const key = JSON.stringify([mapping?.id, frame.address.toString(), names]);
    return this.#locations.get(key, (id) => ({
      id,
      mapping: mapping?.id ?? 0,
      address: frame.address,
      lines: frame.function === undefined ? [] : chain.map((one) => this.#line(one)),
    }));
  }

  #line({ function: name = '[unnamed]', file = '', line = 0 }: Frame): Line {
    const { id } = this.#functions.get(JSON.stringify([name, file]), (id) => ({
      id,
      name: this.string(name),
      file: this.string(file),
    }));
    return { functionId: id, line };
  }

  #mapping(frame: Frame): Mapping | undefined {
    const { module, buildId = '', address, moduleAddress } = frame;
    const file = isKernel(frame) ? KERNEL_FILE : module;
    if (file === undefined || file === '') return undefined;
    const bias = moduleAddress === undefined ? 0n : address - moduleAddress;
    const first = address - (address % PAGE);
    const mapping = this.#mappings.get(JSON.stringify([file, buildId, bias.toString()]), (id) => ({
      id,
      start: first,
      limit: first + PAGE,
      offset: 0n,
      file: this.string(file),
      buildId: this.string(buildId),
      hasFunctions: false,
      hasLines: false,
    }));
    if (first < mapping.start) mapping.start = first;
    if (first + PAGE > mapping.limit) mapping.limit = first + PAGE;
    mapping.offset = moduleAddress === undefined ? 0n : mapping.start - bias;
    mapping.hasFunctions ||= frame.function !== undefined;
    mapping.hasLines ||= frame.line !== undefined;
    return mapping;
  }
}
