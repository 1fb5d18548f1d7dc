/**
 * A BpfHost that refuses chosen features as a kernel would that does not let us have them: for tests
 * of what a plugin does then, on a kernel that has them all. Everything else is the real host's.
 *
 * Types of programs and of maps, and ways to attach or run, are answered with EPERM where the real
 * call would be made. Helpers are refused by the kernel's own verifier: a copy of the object calls
 * numbers that no kernel knows in their place, so that a call in a branch that is never taken (CO-RE,
 * `const volatile`) costs nothing, here as there.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { MemWatcherError } from '../errors.js';
import { type Feature, type FeatureKind, mapType, programType } from './feature.js';
import type {
  AttachTarget,
  BpfGlobal,
  BpfHost,
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
import { helperCalls } from './instructions.js';
import type { StructLayout } from './layout.js';
import { libbpfApi } from './libbpf-api.js';
import { attachRefused } from './libbpf-attach.js';
import { type LoadAttempt, loadFailed } from './libbpf-load.js';
import { runRefused } from './libbpf-run.js';
import { isUprobe, parseSection } from './section.js';
import { uprobeRefusal } from './uprobe-refusal.js';

const EPERM = 1;
const EINVAL = 22;
/** No kernel has so many helpers. The rest of the number says which of `refused` it stands for. */
const UNKNOWN_HELPER = 0x100_0000;

export function refusingHost(host: BpfHost, refused: readonly Feature[]): BpfHost {
  return {
    open(file: string, options?: OpenOptions): BpfObject {
      const isRefused = (kind: FeatureKind, name: string) =>
        refused.some((feature) => feature.kind === kind && feature.name === name);
      const helpers = refused.filter(({ kind }) => kind === 'helper').map(({ name }) => name);
      const object = withoutHelpers(file, helpers, (patched) => host.open(patched, options));
      return new RefusingObject(object, file, isRefused, helpers);
    },
  };
}

/** `open` is given a copy whose calls of `helpers` no kernel accepts; the file itself if it has none. */
function withoutHelpers<T>(file: string, helpers: readonly string[], open: (file: string) => T): T {
  if (helpers.length === 0) return open(file);
  const bytes = readFileSync(file);
  const calls = helperCalls(bytes).filter(({ helper }) => helpers.includes(helper));
  for (const { helper, fileOffset } of calls) {
    bytes.writeInt32LE(UNKNOWN_HELPER + helpers.indexOf(helper), fileOffset);
  }
  const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-refuse-'));
  try {
    // libbpf names the maps of global variables after the file.
    const copy = join(folder, basename(file));
    writeFileSync(copy, bytes);
    return open(copy);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

class RefusingObject implements BpfObject {
  #selected: readonly string[] | undefined;
  readonly #omitted = new Set<string>();
  readonly #uprobeKinds = new Map<string, UprobeKind>();

  constructor(
    private readonly inner: BpfObject,
    private readonly file: string,
    private readonly isRefused: (kind: FeatureKind, name: string) => boolean,
    private readonly helpers: readonly string[],
  ) {}

  get programs(): readonly ProgramSpec[] {
    return this.inner.programs;
  }

  get maps(): readonly MapSpec[] {
    return this.inner.maps;
  }

  selectPrograms(names: readonly string[]): void {
    this.#selected = names;
    this.inner.selectPrograms(names);
  }

  omitMaps(names: readonly string[]): void {
    for (const name of names) this.#omitted.add(name);
    this.inner.omitMaps(names);
  }

  setUprobeKind(program: string, kind: UprobeKind): void {
    this.#uprobeKinds.set(program, kind);
    this.inner.setUprobeKind(program, kind);
  }

  /** In libbpf's order: maps, then programs, one after another. */
  load(): void {
    const map = this.maps.find((spec) => !this.#omitted.has(spec.name) && this.#isRefusedMap(spec));
    if (map) {
      const said = `libbpf: map '${map.name}': failed to create: Operation not permitted(-1)`;
      throw this.#loadFailed(EPERM, [said]);
    }
    const loads = ({ name }: ProgramSpec) => this.#selected?.includes(name) ?? true;
    const program = this.programs.find(
      (spec) => loads(spec) && this.isRefused('program', this.#type(spec)),
    );
    if (program) {
      const said = `libbpf: prog '${program.name}': BPF program load failed: Operation not permitted`;
      throw this.#loadFailed(EPERM, [said]);
    }
    try {
      this.inner.load();
    } catch (error) {
      throw this.#named(error);
    }
  }

  attach(name: string, target?: AttachTarget): BpfLink {
    const spec = this.#program(name);
    if (!isUprobe(spec.section) && this.isRefused('attach', this.#type(spec))) {
      const hook = target?.hook ?? parseSection(spec.section).hook;
      throw attachRefused(libbpfApi(), spec, hook, EPERM, []);
    }
    return this.inner.attach(name, target);
  }

  attachUprobes(name: string, target: UprobeTarget): BpfLink {
    if (this.isRefused('attach', this.#type(this.#program(name)))) {
      const kind = this.#uprobeKinds.get(name) ?? 'perf';
      throw uprobeRefusal(name, kind, target, EPERM, { program: name });
    }
    return this.inner.attachUprobes(name, target);
  }

  run(name: string, options?: RunOptions): RunResult {
    const spec = this.#program(name);
    if (this.isRefused('run', this.#type(spec))) throw runRefused(libbpfApi(), spec, EPERM);
    return this.inner.run(name, options);
  }

  setConstant(name: string, value: number | bigint | boolean): void {
    this.inner.setConstant(name, value);
  }

  setMaxEntries(map: string, entries: number): void {
    this.inner.setMaxEntries(map, entries);
  }

  allocateOnDemand(map: string): void {
    this.inner.allocateOnDemand(map);
  }

  setHook(program: string, hook: string): void {
    this.inner.setHook(program, hook);
  }

  map(name: string): BpfMap {
    return this.inner.map(name);
  }

  global(name: string): BpfGlobal {
    return this.inner.global(name);
  }

  layout(struct: string): StructLayout {
    return this.inner.layout(struct);
  }

  programInfo(program: string): ProgramInfo {
    return this.inner.programInfo(program);
  }

  close(): void {
    this.inner.close();
  }

  #program(name: string): ProgramSpec {
    const spec = this.programs.find((program) => program.name === name);
    if (spec) return spec;
    throw new MemWatcherError('INTERNAL', `${this.file} has no program ${name}`);
  }

  #type({ name, section }: ProgramSpec): string {
    return programType(section, this.#uprobeKinds.get(name));
  }

  /** libbpf makes maps of global variables without flags where it must. */
  #isRefusedMap(spec: MapSpec): boolean {
    if (this.isRefused('map', mapType(spec))) return true;
    return spec.mmapable && !spec.name.startsWith('.') && this.isRefused('flag', 'mmapable');
  }

  #loadFailed(errno: number, said: string[]): MemWatcherError {
    const attempt: LoadAttempt = {
      file: this.file,
      programs: this.programs,
      maps: this.maps,
      uprobeKind: (program) => this.#uprobeKinds.get(program) ?? 'perf',
    };
    return loadFailed(libbpfApi(), attempt, errno, said);
  }

  /** As the kernel would have said it, had it known the helper's name. */
  #named(error: unknown): unknown {
    if (!(error instanceof MemWatcherError) || this.helpers.length === 0) return error;
    const { detail = '', program = '' } = error;
    const [, number] = /invalid func unknown#(\d+)/.exec(detail) ?? [];
    const helper = this.helpers[Number(number) - UNKNOWN_HELPER];
    if (number === undefined || helper === undefined) return error;
    const log = detail.replaceAll(`unknown#${number}`, `${helper}#0`);
    return this.#loadFailed(EINVAL, [
      `libbpf: prog '${program}': BPF program load failed: Invalid argument`,
      `libbpf: prog '${program}': -- BEGIN PROG LOAD LOG --\n${log}\n-- END PROG LOAD LOG --`,
    ]);
  }
}
