import { MemWatcherError } from '../errors.js';
import { Btf } from './btf.js';
import { writeConstant } from './constant.js';
import { fdInfo } from './fdinfo.js';
import { openGlobal } from './global.js';
import type {
  AttachTarget,
  BpfClosable,
  BpfGlobal,
  BpfLink,
  BpfMap,
  BpfObject,
  MapSpec,
  OpenOptions,
  ProgramInfo,
  ProgramSpec,
  RunOptions,
  RunResult,
  UprobeKind,
  UprobeTarget,
} from './host.js';
import type { StructLayout } from './layout.js';
import type { LibbpfApi, Pointer } from './libbpf-api.js';
import { attachProgram, unable } from './libbpf-attach.js';
import { LibbpfLink } from './libbpf-link.js';
import { type LoadAttempt, loadFailed } from './libbpf-load.js';
import { listening } from './libbpf-log.js';
import { LibbpfMap } from './libbpf-map.js';
import { runProgram } from './libbpf-run.js';
import { ATTACH_TYPES, attachUprobes } from './libbpf-uprobe.js';
import { UprobeLink } from './libbpf-uprobe-link.js';
import { errnoText } from './refusal.js';
import { isBoundAtLoad, isUprobe, parseSection } from './section.js';
import { structLayout } from './struct.js';

interface Program {
  readonly spec: ProgramSpec;
  readonly pointer: Pointer;
}

/** One object file in libbpf's hands. Whatever was acquired through it ends with it. */
export class LibbpfObject implements BpfObject {
  readonly programs: readonly ProgramSpec[];
  readonly #api: LibbpfApi;
  readonly #file: string;
  readonly #log: OpenOptions['log'];
  readonly #programs: ReadonlyMap<string, Program>;
  readonly #maps: ReadonlyMap<string, LibbpfMap>;
  readonly #hooks = new Map<string, string>();
  readonly #uprobeKinds = new Map<string, UprobeKind>();
  readonly #owned = new Set<BpfClosable>();
  #pointer: Pointer | undefined;
  #state: 'opened' | 'loaded' | 'refused' = 'opened';
  #btf: Btf | undefined;

  constructor(api: LibbpfApi, file: string, pointer: Pointer, log: OpenOptions['log']) {
    this.#api = api;
    this.#file = file;
    this.#pointer = pointer;
    this.#log = log;
    this.#programs = new Map(
      walk((previous) => api.nextProgram(pointer, previous)).map((program) => {
        const name = api.programName(program);
        return [name, { spec: { name, section: api.programSection(program) }, pointer: program }];
      }),
    );
    this.programs = [...this.#programs.values()].map((program) => program.spec);
    this.#maps = new Map(
      walk((previous) => api.nextMap(pointer, previous)).map((at) => {
        const map = new LibbpfMap(api, at, this.#owned);
        return [map.spec.name, map];
      }),
    );
  }

  get maps(): readonly MapSpec[] {
    const maps = [...this.#maps.values()];
    const present = this.#state === 'loaded' ? maps.filter((map) => map.inKernel) : maps;
    return present.map((map) => map.spec);
  }

  setConstant(name: string, value: number | bigint | boolean): void {
    this.#expect('opened');
    const global = this.#types().globals('.rodata').get(name);
    const section = this.#maps.get('.rodata')?.initialValue();
    if (!global || section === undefined || section === null) {
      const message = `${this.#file} has no constant ${name}`;
      throw new MemWatcherError('LAYOUT_INVALID', message, {
        hint: 'declare it `const volatile` and use it in a program',
      });
    }
    const bytes = new Uint8Array(this.#api.view(section, global.offset + global.size));
    try {
      writeConstant(bytes.subarray(global.offset), name, this.#types().resolve(global.type), value);
    } finally {
      bytes.buffer.transfer(0);
    }
  }

  setMaxEntries(map: string, entries: number): void {
    this.#expect('opened');
    this.#map(map).setMaxEntries(entries);
  }

  allocateOnDemand(map: string): void {
    this.#expect('opened');
    this.#map(map).allocateOnDemand();
  }

  setHook(program: string, hook: string): void {
    this.#expect('opened');
    const { spec, pointer } = this.#program(program);
    this.#hooks.set(program, hook);
    if (!isBoundAtLoad(parseSection(spec.section).kind)) return;
    const error = listening(this.#log, () => this.#api.setAttachTarget(pointer, 0, hook));
    if (error < 0) {
      const message = `cannot bind ${program} to ${hook}: ${errnoText(error)}`;
      throw new MemWatcherError('BPF_LOAD_FAILED', message, { program });
    }
  }

  setUprobeKind(program: string, kind: UprobeKind): void {
    this.#expect('opened');
    const { spec, pointer } = this.#program(program);
    if (!isUprobe(spec.section)) {
      throw new MemWatcherError('INTERNAL', `${program} is ${spec.section}, and no uprobe`);
    }
    this.#uprobeKinds.set(program, kind);
    this.#api.setAttachType(pointer, ATTACH_TYPES[kind]);
  }

  selectPrograms(names: readonly string[]): void {
    this.#expect('opened');
    for (const name of names) this.#program(name);
    for (const { spec, pointer } of this.#programs.values()) {
      this.#api.setAutoload(pointer, names.includes(spec.name));
    }
  }

  omitMaps(names: readonly string[]): void {
    this.#expect('opened');
    for (const name of names) this.#map(name).omit();
  }

  load(): void {
    const pointer = this.#expect('opened');
    listening(this.#log, (warnings) => {
      const error = this.#api.load(pointer);
      this.#state = error < 0 ? 'refused' : 'loaded';
      if (error < 0) throw loadFailed(this.#api, this.#attempt(), error, warnings);
    });
    for (const map of this.#maps.values()) map.loaded();
  }

  #attempt(): LoadAttempt {
    return {
      file: this.#file,
      programs: this.programs,
      maps: [...this.#maps.values()].map((map) => map.spec),
      uprobeKind: (program) => this.#uprobeKinds.get(program) ?? 'perf',
    };
  }

  attach(name: string, target: AttachTarget = {}): BpfLink {
    this.#expect('loaded');
    const program = this.#program(name);
    this.#fd(name);
    if (isUprobe(program.spec.section)) return this.#attachUprobe(program.spec, target);
    const { kind } = parseSection(program.spec.section);
    const hook = this.#hooks.get(name);
    if (target.hook !== undefined && isBoundAtLoad(kind) && target.hook !== hook) {
      const message = `cannot attach ${name} to ${target.hook}: ${kind} programs are bound at load`;
      throw new MemWatcherError('BPF_ATTACH_FAILED', message, { hint: 'call setHook before load' });
    }
    const over = target.map === undefined ? {} : { mapDescriptor: this.#map(target.map).fd };
    const where = { ...(hook === undefined ? {} : { hook }), ...target, ...over };
    const link = listening(this.#log, (warnings) =>
      attachProgram(this.#api, program, where, warnings),
    );
    return new LibbpfLink(this.#api, name, link, kind === 'iter', this.#owned);
  }

  attachUprobes(name: string, target: UprobeTarget): BpfLink {
    this.#expect('loaded');
    const { spec, pointer } = this.#program(name);
    const kind = this.#uprobeKinds.get(name) ?? 'perf';
    const program = { spec, pointer, fd: this.#fd(name), kind };
    const detach = listening(this.#log, (warnings) =>
      attachUprobes(this.#api, program, target, warnings),
    );
    return new UprobeLink(name, detach, this.#owned);
  }

  #attachUprobe(spec: ProgramSpec, { binary, offset, pid = -1, isReturn }: AttachTarget): BpfLink {
    if (binary === undefined || offset === undefined) {
      throw unable(spec, 'a uprobe needs a binary and an offset');
    }
    return this.attachUprobes(spec.name, {
      path: binary,
      offsets: [Number(offset)],
      ...(pid > 0 && { pid }),
      ...(isReturn !== undefined && { isReturn }),
    });
  }

  run(program: string, options: RunOptions = {}): RunResult {
    this.#expect('loaded');
    return runProgram(this.#api, this.#program(program).spec, this.#fd(program), options);
  }

  map(name: string): BpfMap {
    return this.#map(name);
  }

  global(name: string): BpfGlobal {
    this.#expect('loaded');
    const { maps } = this;
    const map = (section: string) => this.#map(section);
    return openGlobal({ file: this.#file, types: this.#types(), maps, map }, name);
  }

  layout(struct: string): StructLayout {
    return structLayout(this.#types(), struct);
  }

  programInfo(program: string): ProgramInfo {
    this.#expect('loaded');
    const info = fdInfo(this.#fd(program));
    return {
      id: info.get('prog_id') ?? 0,
      runCount: info.get('run_cnt') ?? 0,
      runTimeNs: info.get('run_time_ns') ?? 0,
      recursionMisses: info.get('recursion_misses'),
      verifiedInstructions: info.get('verified_insns'),
    };
  }

  close(): void {
    if (this.#pointer === undefined) return;
    const pointer = this.#pointer;
    this.#pointer = undefined;
    const errors: unknown[] = [];
    for (const resource of [...this.#owned].reverse()) {
      try {
        resource.close();
      } catch (error) {
        errors.push(error);
      }
    }
    this.#owned.clear();
    for (const map of this.#maps.values()) map.gone();
    listening(this.#log, () => this.#api.closeObject(pointer));
    if (errors.length > 0) throw new AggregateError(errors, `closing ${this.#file} failed`);
  }

  #expect(state: 'opened' | 'loaded'): Pointer {
    if (this.#pointer === undefined) throw this.#closed();
    if (this.#state !== state) {
      throw new MemWatcherError('INTERNAL', `${this.#file} is ${this.#state}, not ${state}`);
    }
    return this.#pointer;
  }

  #closed(): MemWatcherError {
    return new MemWatcherError('SCOPE_CLOSED', `${this.#file} is closed`);
  }

  #program(name: string): Program {
    const program = this.#programs.get(name);
    if (program) return program;
    throw new MemWatcherError('INTERNAL', `${this.#file} has no program ${name}`, {
      hint: `it has ${[...this.#programs.keys()].join(', ')}`,
    });
  }

  #map(name: string): LibbpfMap {
    const map = this.#maps.get(name);
    if (map) return map;
    throw new MemWatcherError('INTERNAL', `${this.#file} has no map ${name}`, {
      hint: `it has ${[...this.#maps.keys()].join(', ')}`,
    });
  }

  #fd(program: string): number {
    const fd = this.#api.programFd(this.#program(program).pointer);
    if (fd >= 0) return fd;
    throw new MemWatcherError('INTERNAL', `${program} was not among the selected programs`);
  }

  /** libbpf's copy: in the file itself the offsets of globals are not filled in yet. */
  #types(): Btf {
    if (this.#btf) return this.#btf;
    if (this.#pointer === undefined) throw this.#closed();
    this.#btf = Btf.parse(this.#api.objectBtf(this.#pointer));
    return this.#btf;
  }
}

function walk(next: (previous: Pointer | null) => Pointer | null): Pointer[] {
  const found: Pointer[] = [];
  for (let at = next(null); at !== null; at = next(at)) found.push(at);
  return found;
}
