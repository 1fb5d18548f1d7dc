import { accessSync, constants, existsSync } from 'node:fs';
import { release } from 'node:os';
import { describeError, NotSupported } from '../errors.js';
import { findField, findTypes } from './btf-field.js';
import { functionPrototype, normalizeType, tracepointPrototype } from './btf-prototype.js';
import { capabilityName, hasCapability, isCapability, readCapabilities } from './capabilities.js';
import type { EnumName, Fact, FactResult, Kernel, Parameter } from './kernel.js';
import { KernelBtf, Kind } from './kernel-btf.js';
import { KernelSymbols } from './symbols.js';
import { Tracefs } from './tracefs.js';

/** Where the facts come from; the defaults are the running kernel's. */
export interface KernelOptions {
  /** `--btf FILE`, for a kernel without its own. BTF_INVALID at once if it is not usable. */
  readonly btfFile?: string | undefined;
  /** `kernel.profiles`: the folder of what is known of kernels, if not the program's own. */
  readonly profiles?: string | undefined;
  readonly release?: string;
  readonly kallsymsFile?: string;
  readonly tracefsMounts?: readonly string[];
  readonly statusFile?: string;
  readonly kprobePmu?: string;
}

const HOLDS: FactResult = { holds: true };
const lacks = (missing: string): FactResult => ({ holds: false, missing });

export class RunningKernel implements Kernel {
  readonly release: string;
  readonly btfPath: string | undefined;
  readonly profiles: string | undefined;
  readonly #options: KernelOptions;
  // Facts are asked for while plugins start. What they were read from has 12 MB: it is read when it
  // is first needed, and the garbage collector may have it back afterwards.
  #btf: WeakRef<KernelBtf> | undefined;
  #symbols: WeakRef<KernelSymbols> | undefined;
  #tracefs: Tracefs | undefined;
  #capabilities: ReadonlySet<string> | undefined;

  constructor(options: KernelOptions = {}) {
    this.#options = options;
    this.release = options.release ?? release();
    this.profiles = options.profiles;
    if (options.btfFile !== undefined) this.#btf = new WeakRef(KernelBtf.fromFile(options.btfFile));
    this.btfPath = options.btfFile ?? builtInBtf(this.release);
  }

  get tracefs(): Tracefs {
    this.#tracefs ??= new Tracefs(this.#options.tracefsMounts);
    return this.#tracefs;
  }

  /** Effective capabilities of this process. */
  get capabilities(): ReadonlySet<string> {
    this.#capabilities ??= readCapabilities(this.#options.statusFile);
    return this.#capabilities;
  }

  /** Whether perf can make kprobes here. */
  get hasKprobes(): boolean {
    return existsSync(this.#options.kprobePmu ?? '/sys/bus/event_source/devices/kprobe');
  }

  /** Never throws: what cannot be read is a fact that does not hold, with the reason. */
  check(fact: Fact): FactResult {
    try {
      return this.#check(fact);
    } catch (error) {
      return lacks(error instanceof NotSupported ? error.fact : describeError(error));
    }
  }

  resolve(parameter: Parameter): number | bigint {
    if ('value' in parameter) return parameter.value;
    try {
      if ('offset_of' in parameter) return this.#offsetOf(parameter.offset_of);
      if ('size_of' in parameter) return this.#sizeOf(parameter.size_of);
      if ('address_of' in parameter) return this.#addressOf(parameter.address_of);
      const value = this.#enumerator(parameter.enumerator) ?? parameter.otherwise;
      if (value !== undefined) return value;
    } catch (error) {
      throw error instanceof NotSupported ? error : new NotSupported(describeError(error));
    }
    throw new NotSupported(`enumerator ${parameter.enumerator}`);
  }

  /** Never throws: a kernel that cannot be asked has no such enum. */
  enumerators(of: EnumName): ReadonlyMap<string, number> | undefined {
    try {
      const btf = this.#readBtf();
      const [found] = this.#enums(of);
      if (found === undefined) return undefined;
      return new Map(
        [...btf.enumerators(found)].map(([name, value]) => [name, Number(value)] as const),
      );
    } catch {
      return undefined;
    }
  }

  #check(fact: Fact): FactResult {
    if ('not' in fact) {
      return this.#check(fact.not).holds ? lacks(`absence of ${describeFact(fact.not)}`) : HOLDS;
    }
    if ('btf_function' in fact) {
      return this.#function(fact.btf_function, fact.prototype);
    }
    if ('btf_type' in fact) {
      const found = findTypes(this.#readBtf(), fact.btf_type).length > 0;
      return found ? HOLDS : lacks(`type ${fact.btf_type}`);
    }
    if ('btf_field' in fact) {
      const found = findField(this.#readBtf(), fact.btf_field);
      return 'found' in found ? HOLDS : lacks(found.missing);
    }
    if ('btf_enumerator' in fact) {
      const found = this.#enumerator(fact.btf_enumerator) !== undefined;
      return found ? HOLDS : lacks(`enumerator ${fact.btf_enumerator}`);
    }
    if ('tracepoint' in fact) return this.#tracepoint(fact.tracepoint, fact.prototype);
    if ('tracefs_event' in fact) {
      const missing = this.tracefs.missingEvent(fact.tracefs_event);
      return missing === undefined ? HOLDS : lacks(missing);
    }
    if ('kallsyms' in fact) return this.#symbol(fact.kallsyms);
    if ('kprobe' in fact) return this.#kprobe(fact.kprobe);
    if ('capability' in fact) {
      const name = capabilityName(fact.capability);
      if (!isCapability(name)) return lacks(`${name}, which is no capability`);
      return hasCapability(this.capabilities, name) ? HOLDS : lacks(`capability ${name}`);
    }
    const helper = fact.helper.replace(/^(BPF_FUNC_|bpf_)/, '');
    const found = this.#enumerator(`bpf_func_id.BPF_FUNC_${helper}`) !== undefined;
    return found ? HOLDS : lacks(`BPF helper bpf_${helper}`);
  }

  #function(name: string, prototype: readonly string[] | undefined): FactResult {
    const actual = functionPrototype(this.#readBtf(), name);
    if (actual === undefined) return lacks(`BTF of function ${name}`);
    const types = (list: readonly string[]) => list.map(normalizeType).join(', ');
    if (prototype === undefined || types(prototype) === types(actual)) return HOLDS;
    return lacks(`function ${name}(${prototype.join(', ')}); here it is ${name}(${types(actual)})`);
  }

  #tracepoint(name: string, prototype: readonly string[] | undefined): FactResult {
    const actual = tracepointPrototype(this.#readBtf(), name);
    if (actual === undefined) return lacks(`BTF of tracepoint ${name}`);
    // Parameters that a kernel adds at the end do not disturb a program that reads the first ones.
    const fits = prototype?.every(
      (type, n) => normalizeType(type) === normalizeType(actual[n] ?? ''),
    );
    if (fits ?? true) return HOLDS;
    return lacks(
      `tracepoint ${name}(${prototype?.join(', ')}); here it is ${name}(${actual.join(', ')})`,
    );
  }

  #symbol(name: string): FactResult {
    const symbols = this.#readSymbols().find(name);
    if (symbols.length === 0) return lacks(`symbol ${name} in kallsyms`);
    const hidden = symbols.every(({ address, type }) => address === 0n && /[bdr]/i.test(type));
    return hidden ? lacks(hiddenAddress(name)) : HOLDS;
  }

  #kprobe(name: string): FactResult {
    const pmu = this.#options.kprobePmu ?? '/sys/bus/event_source/devices/kprobe';
    if (!existsSync(pmu))
      return lacks('kprobes (the kernel is built without CONFIG_KPROBE_EVENTS)');
    // Without tracefs the symbol is the best that can be known; attaching is the final judge.
    const holds = this.tracefs.canFilter(name) ?? this.#readSymbols().find(name).length > 0;
    return holds ? HOLDS : lacks(`function ${name} that can be probed`);
  }

  #enumerator(text: string): number | bigint | undefined {
    const btf = this.#readBtf();
    const dot = text.indexOf('.');
    const enumerator = text.slice(dot + 1);
    const values = this.#enums(dot < 0 ? { having: enumerator } : { name: text.slice(0, dot) }).map(
      (type) => btf.enumerator(type, enumerator),
    );
    const value = values.find((found) => found !== undefined);
    return value === undefined ? undefined : narrow(value);
  }

  #enums(of: EnumName): number[] {
    const btf = this.#readBtf();
    if ('having' in of) {
      const found = btf.findEnumWith(of.having);
      return found === undefined ? [] : [found];
    }
    return findTypes(btf, of.name)
      .map((type) => btf.strip(type))
      .filter((type) => [Kind.ENUM, Kind.ENUM64].some((kind) => kind === btf.kind(type)));
  }

  #offsetOf(path: string): number {
    const field = findField(this.#readBtf(), path);
    if (!('found' in field)) throw new NotSupported(field.missing);
    const { bitOffset, bitSize } = field.found;
    if (bitSize !== 0 || bitOffset % 8 !== 0) {
      throw new NotSupported(`a byte offset of ${path}, which is a bit field`);
    }
    return bitOffset / 8;
  }

  /** Of a type, or of a field. */
  #sizeOf(name: string): number {
    const btf = this.#readBtf();
    if (name.includes('.')) {
      const field = findField(btf, name);
      if (!('found' in field)) throw new NotSupported(field.missing);
      const size = btf.size(field.found.type);
      if (size !== undefined) return size;
    }
    for (const type of findTypes(btf, name)) {
      const size = btf.size(type);
      if (size !== undefined) return size;
    }
    throw new NotSupported(`type ${name} with a size`);
  }

  #addressOf(name: string): bigint {
    const [symbol, ...others] = this.#readSymbols().find(name);
    if (symbol === undefined) throw new NotSupported(`symbol ${name} in kallsyms`);
    if (symbol.address === 0n) throw new NotSupported(hiddenAddress(name));
    if (others.length > 0) throw new NotSupported(`one symbol ${name}: there are several`);
    return symbol.address;
  }

  #readBtf(): KernelBtf {
    const known = this.#btf?.deref();
    if (known !== undefined) return known;
    if (this.btfPath === undefined) {
      throw new NotSupported('BTF', {
        hint: 'the kernel is built without CONFIG_DEBUG_INFO_BTF; give its BTF with --btf FILE',
      });
    }
    const btf = KernelBtf.fromFile(this.btfPath);
    this.#btf = new WeakRef(btf);
    return btf;
  }

  #readSymbols(): KernelSymbols {
    const known = this.#symbols?.deref();
    if (known !== undefined) return known;
    const symbols = KernelSymbols.fromFile(this.#options.kallsymsFile ?? '/proc/kallsyms');
    this.#symbols = new WeakRef(symbols);
    return symbols;
  }
}

/** As written in the YAML, for sentences. */
export function describeFact(fact: Fact): string {
  if ('not' in fact) return `not ${describeFact(fact.not)}`;
  if ('tracepoint' in fact) {
    return `tracepoint ${fact.tracepoint}${fact.prototype ? `(${fact.prototype.join(', ')})` : ''}`;
  }
  const [key = '', value = ''] = Object.entries(fact)[0] ?? [];
  return `${key.replaceAll('_', ' ')} ${value}`;
}

const hiddenAddress = (name: string) =>
  `the address of ${name}: the kernel hides it (kernel.kptr_restrict=2, or CAP_SYSLOG is missing)`;

const narrow = (value: bigint) =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value;

/** Where libbpf looks as well, in its order. */
function builtInBtf(kernelRelease: string): string | undefined {
  return [
    '/sys/kernel/btf/vmlinux',
    `/boot/vmlinux-${kernelRelease}`,
    `/lib/modules/${kernelRelease}/vmlinux-${kernelRelease}`,
    `/lib/modules/${kernelRelease}/build/vmlinux`,
    `/usr/lib/modules/${kernelRelease}/kernel/vmlinux`,
    `/usr/lib/debug/boot/vmlinux-${kernelRelease}`,
    `/usr/lib/debug/lib/modules/${kernelRelease}/vmlinux`,
  ].find((path) => {
    try {
      accessSync(path, constants.R_OK);
      return true;
    } catch {
      return false;
    }
  });
}
