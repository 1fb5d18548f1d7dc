/** The symbolizer: who is asked what, in which order, and what is remembered of it. */
import { ChildHost, type ChildHostOptions, NoAnswer } from './child-host.js';
import { openDebugFiles } from './debug-files.js';
import { toFileAddress } from './elf-identity.js';
import type { Frame } from './frame.js';
import { FrameCache } from './frame-cache.js';
import { isJit, JitNames } from './jit-names.js';
import { type HeldFile, ModuleFiles } from './module-files.js';
import { printable } from './printable.js';
import { readProcessMap } from './process-map.js';
import type { MappedModule, ProcessMap, Symbolizer } from './symbolizer.js';
import type { FoundFrame } from './wire.js';

export interface SymbolizerOptions extends ChildHostOptions {
  /** Bytes of names that are remembered. */
  readonly cacheBytes?: number;
  /** Files of processes that are held open. */
  readonly heldFiles?: number;
  /** Files that the child has open at a time. */
  readonly openFiles?: number;
  readonly proc?: string;
}

export const createSymbolizer = (options: SymbolizerOptions = {}): Symbolizer =>
  new ChildSymbolizer(options);

interface Wanted {
  readonly address: bigint;
  /** In the file's own terms; what is looked up, one before it for a return address. */
  readonly lookup: bigint;
  readonly moduleAddress: bigint;
}

class ChildSymbolizer implements Symbolizer {
  readonly #files: ModuleFiles;
  readonly #host: ChildHost;
  readonly #cache: FrameCache;
  readonly #jit: JitNames;
  readonly #proc: string;
  readonly #openFiles: number;
  /** By the file's key: how often it killed the child. */
  readonly #blamed = new Map<string, number>();
  /** What the child of `#generation` has open, the least recently asked for first. */
  readonly #numbers = new Map<string, number>();
  #generation = 0;
  #lastNumber = 0;
  #unresolved = 0;

  constructor({
    cacheBytes = 16 << 20,
    heldFiles = 512,
    openFiles = 32,
    proc = '/proc',
    ...host
  }: SymbolizerOptions) {
    this.#files = new ModuleFiles({ limit: heldFiles, proc });
    this.#host = new ChildHost(host);
    this.#cache = new FrameCache(cacheBytes);
    this.#jit = new JitNames(proc);
    this.#proc = proc;
    this.#openFiles = openFiles;
  }

  get statistics() {
    return {
      cached: this.#cache.count,
      unresolved: this.#unresolved,
      restarts: this.#host.restarts,
    };
  }

  readMap(pid: number): ProcessMap {
    return readProcessMap(pid, { files: this.#files, proc: this.#proc });
  }

  async symbolize(
    map: ProcessMap,
    addresses: readonly bigint[],
    { calls = false, deadlineMs }: { readonly calls?: boolean; readonly deadlineMs?: number } = {},
  ): Promise<ReadonlyMap<bigint, readonly Frame[]>> {
    const until = deadlineMs === undefined ? Infinity : performance.now() + deadlineMs;
    const answers = new Map<bigint, readonly Frame[]>();
    const byModule = new Map<MappedModule, bigint[]>();
    for (const address of new Set(addresses)) {
      const module = map.find(calls && address > 0n ? address - 1n : address);
      if (module === undefined) {
        const lack = map.cut
          ? 'the memory map is too long to be read whole'
          : 'nothing is mapped there';
        answers.set(address, [{ address, inlined: false, lack }]);
      } else {
        const others = byModule.get(module);
        if (others === undefined) byModule.set(module, [address]);
        else others.push(address);
      }
    }
    for (const [module, inside] of byModule) {
      if (isJit(module)) {
        await this.#inJit(map, module, inside, calls, answers);
        continue;
      }
      await this.#inModule(map, module, inside, calls, until, answers);
    }
    for (const frames of answers.values()) {
      if (frames.every((frame) => frame.function === undefined)) this.#unresolved++;
    }
    return answers;
  }

  close(): void {
    this.#host.close();
    this.#files.close();
  }

  async #inJit(
    map: ProcessMap,
    module: MappedModule,
    addresses: readonly bigint[],
    calls: boolean,
    answers: Map<bigint, readonly Frame[]>,
  ): Promise<void> {
    const before = calls ? 1n : 0n;
    const found = await this.#jit.find(
      map,
      addresses.map((address) => address - before),
    );
    for (const address of addresses) {
      const known = found.get(address - before);
      const common = {
        address,
        inlined: false,
        module: module.path === '' ? '[jit]' : module.path,
      };
      const named = known && {
        function: printable(known.name),
        functionAddress: known.start,
        offset: Number(address - known.start),
      };
      answers.set(address, [named ? { ...common, ...named } : { ...common, lack: NO_JIT }]);
    }
  }

  async #inModule(
    map: ProcessMap,
    module: MappedModule,
    addresses: readonly bigint[],
    calls: boolean,
    until: number,
    answers: Map<bigint, readonly Frame[]>,
  ): Promise<void> {
    const wanted = addresses.flatMap((address): Wanted[] => {
      const offset = address - module.start + module.fileOffset;
      const before = calls ? 1n : 0n;
      const lookup = module.segments && toFileAddress(module.segments, offset - before);
      return lookup === undefined ? [] : [{ address, lookup, moduleAddress: lookup + before }];
    });
    const key = module.buildId ?? `${module.device} ${module.inode}`;
    const missing = wanted.filter(
      ({ lookup }) => this.#cache.get(`${key} ${lookup}`) === undefined,
    );
    let lack: string | undefined;
    for (let at = 0; at < missing.length && lack === undefined; at += BATCH) {
      const batch = missing.slice(at, at + BATCH);
      lack = await this.#lookUp(map.pid, module, key, batch, until);
    }
    const byAddress = new Map(wanted.map((one) => [one.address, one]));
    for (const address of addresses) {
      const found = byAddress.get(address);
      const frames = found && this.#cache.get(`${key} ${found.lookup}`);
      answers.set(address, framesOf(module, address, found, frames, lack));
    }
  }

  /** Fills the cache; says why it did not. */
  async #lookUp(
    pid: number,
    module: MappedModule,
    key: string,
    batch: readonly Wanted[],
    until: number,
  ): Promise<string | undefined> {
    if (performance.now() >= until) return TOO_LATE;
    if ((this.#blamed.get(key) ?? 0) >= MAX_BLAME) return 'its file made the reader fail twice';
    const file = this.#files.open(pid, module);
    if (file === undefined) return 'its file cannot be opened any more';
    const looking = this.#ask(pid, module, key, file, batch);
    const late = timeout(until);
    try {
      return await Promise.race([looking, late.promise]);
    } finally {
      late.cancel();
    }
  }

  async #ask(
    pid: number,
    module: MappedModule,
    key: string,
    file: HeldFile,
    batch: readonly Wanted[],
  ): Promise<string | undefined> {
    try {
      return await this.#host.run(async (child) => {
        const { number, fresh } = this.#numberOf(key, child.generation);
        for (const gone of this.#tooMany()) child.tell({ kind: 'forget', file: gone });
        const addresses = batch.map(({ lookup }) => lookup.toString(16));
        const { frames, lack } = await child.ask(
          { kind: 'look', file: number, fresh, addresses },
          fresh ? file.fd : undefined,
          (wanted) => openDebugFiles(pid, module, wanted, this.#proc),
        );
        if (lack !== undefined) return `its file cannot be read: ${lack}`;
        for (const [n, { lookup }] of batch.entries()) {
          this.#cache.set(`${key} ${lookup}`, frames[n] ?? []);
        }
        return undefined;
      });
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      if (error.crashed) this.#blamed.set(key, (this.#blamed.get(key) ?? 0) + 1);
      return error.message;
    }
  }

  #numberOf(key: string, generation: number): { readonly number: number; readonly fresh: boolean } {
    if (generation !== this.#generation) this.#numbers.clear();
    this.#generation = generation;
    const known = this.#numbers.get(key);
    const number = known ?? ++this.#lastNumber;
    this.#numbers.delete(key);
    this.#numbers.set(key, number);
    return { number, fresh: known === undefined };
  }

  #tooMany(): number[] {
    const gone: number[] = [];
    for (const [key, number] of this.#numbers) {
      if (this.#numbers.size <= this.#openFiles) break;
      this.#numbers.delete(key);
      gone.push(number);
    }
    return gone;
  }
}

function framesOf(
  module: MappedModule,
  address: bigint,
  wanted: Wanted | undefined,
  found: readonly FoundFrame[] | undefined,
  lack: string | undefined,
): readonly Frame[] {
  const common = {
    address,
    ...(module.path !== '' && { module: module.path }),
    ...(module.buildId !== undefined && { buildId: module.buildId }),
    ...(wanted !== undefined && { moduleAddress: wanted.moduleAddress }),
  };
  if (wanted === undefined || found === undefined || found.length === 0) {
    return [{ ...common, inlined: false, lack: lack ?? lackOf(module) }];
  }
  return found.map(({ name, begin, file, line, inlined, lack: own }): Frame => {
    const functionAddress = begin === undefined ? undefined : BigInt(`0x${begin}`);
    return {
      ...common,
      inlined,
      ...(name !== undefined && { function: name }),
      ...((own !== undefined || name === undefined) && { lack: own ?? NO_SYMBOL }),
      ...(functionAddress !== undefined && {
        functionAddress,
        offset: Number(wanted.moduleAddress - functionAddress),
      }),
      ...(file !== undefined && { file }),
      ...(line !== undefined && { line }),
    };
  });
}

function lackOf(module: MappedModule): string {
  return module.segments === undefined
    ? 'its file cannot be opened, or is no ELF file'
    : 'its file has nothing there';
}

function timeout(until: number) {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<string>((resolve) => {
    if (until === Infinity) return;
    const left = Math.max(0, until - performance.now());
    timer = setTimeout(() => resolve(TOO_LATE), left);
  });
  return { promise, cancel: () => clearTimeout(timer) };
}

const TOO_LATE = 'there was no time to look it up';
const NO_JIT = 'memory without a file, and no /tmp/perf-PID.map tells of it';
const NO_SYMBOL = 'its file has no symbol there';
/** Addresses a question: a file that hangs the child costs so many names at most. */
const BATCH = 32;
const MAX_BLAME = 2;
