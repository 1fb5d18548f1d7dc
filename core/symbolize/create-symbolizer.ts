/** The symbolizer: who is asked what, in which order, and what is remembered of it. */
import { describeError } from '../errors.js';
import { ChildHost, type ChildHostOptions, NoAnswer } from './child-host.js';
import { openDebugFiles } from './debug-files.js';
import { toFileAddress } from './elf-identity.js';
import type { Frame } from './frame.js';
import { FrameCache } from './frame-cache.js';
import { isJit, JitNames } from './jit-names.js';
import { ModuleFiles } from './module-files.js';
import { printable } from './printable.js';
import { readProcessMap } from './process-map.js';
import { ReaderFailures } from './reader-failures.js';
import type { MappedModule, ProcessMap, Symbolizer } from './symbolizer.js';
import type { FoundFrame } from './wire.js';

export interface SymbolizerOptions extends ChildHostOptions {
  /** Bytes of names that are remembered. */
  readonly cacheBytes?: number;
  /** Files of processes that are held open. */
  readonly heldFiles?: number;
  /** Files that the child has open at a time. */
  readonly openFiles?: number;
  /** Milliseconds until a file is read again at which the child failed twice; doubles each time. */
  readonly fileRetryMs?: number;
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

/** Why there is no name. */
interface Lack {
  readonly text: string;
  /** Nothing that the file can help: it is asked again. */
  readonly isTemporary: boolean;
}

/** Where names come from. */
interface Source {
  readonly map: ProcessMap;
  readonly module: MappedModule;
  /** What its names are remembered by; undefined of a file that was never opened. */
  readonly key: string | undefined;
  readonly isOpen: boolean;
}

class ChildSymbolizer implements Symbolizer {
  readonly #files: ModuleFiles;
  readonly #host: ChildHost;
  readonly #cache: FrameCache;
  readonly #jit: JitNames;
  readonly #proc: string;
  readonly #openFiles: number;
  readonly #failures: ReaderFailures;
  /** What the child of `#generation` has open, the least recently asked for first. */
  readonly #numbers = new Map<string, number>();
  #generation = 0;
  #lastNumber = 0;
  #unresolved = 0;

  constructor({
    cacheBytes = 16 << 20,
    heldFiles = 512,
    openFiles = 32,
    fileRetryMs = 60_000,
    proc = '/proc',
    ...host
  }: SymbolizerOptions) {
    this.#files = new ModuleFiles({ limit: heldFiles, proc });
    this.#host = new ChildHost(host);
    this.#cache = new FrameCache(cacheBytes);
    this.#jit = new JitNames(proc);
    this.#proc = proc;
    this.#openFiles = openFiles;
    this.#failures = new ReaderFailures(fileRetryMs);
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
    const source = this.#sourceOf(map, module);
    const missing = wanted.filter(({ lookup }) => !this.#framesAt(source, lookup));
    let lack: Lack | undefined;
    for (let at = 0; at < missing.length && lack === undefined; at += BATCH) {
      lack = await this.#lookUp(source, missing.slice(at, at + BATCH), until);
    }
    const byAddress = new Map(wanted.map((one) => [one.address, one]));
    for (const address of addresses) {
      const found = byAddress.get(address);
      const frames = found && this.#framesAt(source, found.lookup);
      answers.set(address, framesOf(module, address, found, frames, lack));
    }
  }

  /**
   * A file's names are its own, whatever build id it carries; and those of its debug files depend on
   * the root that the process looks them up in.
   */
  #sourceOf(map: ProcessMap, module: MappedModule): Source {
    const file = this.#files.open(map.pid, module);
    const version = file?.id.version ?? module.file;
    const key = version === undefined ? undefined : keyOf(map, version);
    return { map, module, key, isOpen: file !== undefined };
  }

  #framesAt({ key }: Source, lookup: bigint): readonly FoundFrame[] | undefined {
    return key === undefined ? undefined : this.#cache.get(`${key} ${lookup}`);
  }

  /** Fills the cache; says why it did not. */
  async #lookUp(
    source: Source,
    batch: readonly Wanted[],
    until: number,
  ): Promise<Lack | undefined> {
    const { key, isOpen } = source;
    if (!isOpen || key === undefined) return lasting(GONE);
    if (performance.now() >= until) return TOO_LATE;
    const failing = this.#failures.of(key);
    if (failing !== undefined) return passing(failing);
    const looking = this.#ask(source, key, batch);
    const late = timeout(until);
    try {
      return await Promise.race([looking, late.promise]);
    } finally {
      late.cancel();
    }
  }

  async #ask(
    { map, module }: Source,
    key: string,
    batch: readonly Wanted[],
  ): Promise<Lack | undefined> {
    try {
      return await this.#host.run(async (child) => {
        // Others were asked about meanwhile, and its descriptor may have been let go for theirs.
        const file = this.#files.open(map.pid, module);
        if (file === undefined || keyOf(map, file.id.version) !== key) return CHANGED;
        const { number, fresh } = this.#numberOf(key, child.generation);
        for (const gone of this.#tooMany()) child.tell({ kind: 'forget', file: gone });
        const addresses = batch.map(({ lookup }) => lookup.toString(16));
        const { frames, lack } = await child.ask(
          { kind: 'look', file: number, fresh, addresses },
          fresh ? file.fd : undefined,
          (wanted) => openDebugFiles(map, module, wanted, this.#proc),
        );
        this.#failures.clear(key);
        if (lack !== undefined) return lasting(`its file cannot be read: ${lack}`);
        for (const [n, { lookup }] of batch.entries()) {
          this.#cache.set(`${key} ${lookup}`, frames[n] ?? []);
        }
        return undefined;
      });
    } catch (error) {
      if (error instanceof NoAnswer && error.wasReading) this.#failures.add(key, error.message);
      return passing(describeError(error));
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
  lack: Lack | undefined,
): readonly Frame[] {
  const common = {
    address,
    ...(module.path !== '' && { module: module.path }),
    ...(module.buildId !== undefined && { buildId: module.buildId }),
    ...(wanted !== undefined && { moduleAddress: wanted.moduleAddress }),
  };
  if (wanted === undefined || found === undefined || found.length === 0) {
    const { text, isTemporary } = lack ?? lasting(lackOf(module));
    return [{ ...common, inlined: false, lack: text, ...(isTemporary && { isTemporary }) }];
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
  const promise = new Promise<Lack>((resolve) => {
    if (until === Infinity) return;
    const left = Math.max(0, until - performance.now());
    timer = setTimeout(() => resolve(TOO_LATE), left);
  });
  return { promise, cancel: () => clearTimeout(timer) };
}

const lasting = (text: string): Lack => ({ text, isTemporary: false });
const passing = (text: string): Lack => ({ text, isTemporary: true });

const keyOf = ({ root }: ProcessMap, version: string): string =>
  root === undefined ? version : `${version} ${root}`;

const CHANGED = passing('its file was closed or changed while it waited to be read');
const TOO_LATE = passing('there was no time to look it up');
const GONE = 'its file cannot be opened any more';
const NO_JIT = 'memory without a file, and no /tmp/perf-PID.map tells of it';
const NO_SYMBOL = 'its file has no symbol there';
/** Addresses a question: a file that hangs the child costs so many names at most. */
const BATCH = 32;
