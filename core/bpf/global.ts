/** A variable of a loaded object's `.bss` or `.data`, found by its name, as live memory. */
import { MemWatcherError } from '../errors.js';
import type { Btf, BtfVariable } from './btf.js';
import { writeConstant } from './constant.js';
import type { BpfGlobal, BpfMap, MapSpec } from './host.js';

/** Sections that programs write; constants are in `.rodata`, and fixed at load. */
const SECTIONS = ['.bss', '.data'] as const;

export interface GlobalSource {
  readonly file: string;
  /** Of the opened object: only there the sections' variables have their offsets. */
  readonly types: Btf;
  readonly maps: readonly MapSpec[];
  map(name: string): BpfMap;
}

/** LAYOUT_INVALID if the object has no integer of that name that programs use. */
export function openGlobal(source: GlobalSource, name: string): BpfGlobal {
  const section = SECTIONS.find((one) => source.types.globals(one).has(name));
  const variable = section && source.types.globals(section).get(name);
  if (!variable || !source.maps.some((map) => map.name === section)) {
    throw new MemWatcherError('LAYOUT_INVALID', `${source.file} has no global variable ${name}`, {
      hint: 'declare it in the object without `const` and use it in a program',
    });
  }
  return bind(source, name, section, variable);
}

function bind(
  { types, map }: GlobalSource,
  name: string,
  section: string,
  { type: id, offset, size }: BtfVariable,
): BpfGlobal {
  const type = types.resolve(id);
  const mapped = map(section).mapped();
  const { buffer, byteOffset } = mapped.bytes;
  const written = new ArrayBuffer(8);
  try {
    const word = wordOf(size, buffer, byteOffset + offset, written);
    // An array or a struct may have the size of an integer.
    writeConstant(new Uint8Array(written), name, type, 0);
    return {
      get: word.load,
      set(value) {
        writeConstant(new Uint8Array(written), name, type, value);
        word.store();
      },
      close: () => mapped.close(),
    };
  } catch (error) {
    mapped.close();
    throw error;
  }
}

/** One load and one store each: programs read and write it meanwhile. */
interface Word {
  load(): bigint;
  /** Of what was written down. */
  store(): void;
}

function wordOf(size: number, live: ArrayBufferLike, at: number, written: ArrayBuffer): Word {
  if (size === 8) {
    const [memory, value] = [new BigUint64Array(live, at, 1), new BigUint64Array(written, 0, 1)];
    return {
      load: () => Atomics.load(memory, 0),
      store: () => void Atomics.store(memory, 0, value[0] ?? 0n),
    };
  }
  if (size === 4) return narrow(new Uint32Array(live, at, 1), new Uint32Array(written, 0, 1));
  if (size === 2) return narrow(new Uint16Array(live, at, 1), new Uint16Array(written, 0, 1));
  return narrow(new Uint8Array(live, at, 1), new Uint8Array(written, 0, 1));
}

type Narrow = Uint32Array | Uint16Array | Uint8Array;

function narrow(memory: Narrow, written: Narrow): Word {
  return {
    load: () => BigInt(Atomics.load(memory, 0)),
    store: () => void Atomics.store(memory, 0, written[0] ?? 0),
  };
}
