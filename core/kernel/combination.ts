/**
 * What one load puts into the kernel: a strategy and, of each part, the choice that goes with it.
 * They share one object, so they are loaded together or not at all.
 */
import type {
  BpfHost,
  BpfLink,
  BpfObject,
  LoadedBpf,
  LoadOptions,
  UprobeKind,
} from '../bpf/host.js';
import { isUprobe } from '../bpf/section.js';
import { tryUprobes } from '../bpf/uprobe-trial.js';
import { describeError } from '../errors.js';
import type { Logger } from '../logger.js';
import type { Choice, Kernel, KernelProfile, Strategy } from './kernel.js';

export interface Combination {
  readonly strategy: Strategy;
  /** By part; a part that is not here is left out. */
  readonly choices: ReadonlyMap<string, Choice>;
}

export interface Ground {
  readonly host: BpfHost;
  readonly kernel: Kernel;
  readonly profile: KernelProfile;
  /** The plugin's compiled BPF object. */
  readonly objectFile: string;
  readonly logger: Logger;
  /** Kernel BTF for kernels without their own. */
  readonly btfFile?: string | undefined;
}

/** Loads and attaches, or closes whatever it opened and throws. */
export function loadCombination(
  ground: Ground,
  combination: Combination,
  options: LoadOptions,
): LoadedBpf {
  const { host, profile, objectFile, logger, btfFile } = ground;
  const { strategy, choices } = combination;
  const members = [strategy, ...choices.values()];
  const object = host.open(objectFile, {
    // What a refused strategy has to say is in its reasons; it is no warning of its own. And what
    // libbpf calls debug is a thousand lines a load.
    log: (level, text) => {
      if (level !== 'debug') logger.debug({ strategy: strategy.name }, text);
    },
    ...(btfFile === undefined ? {} : { btfFile }),
  });
  const links = new Map<string, BpfLink>();
  const loaded: LoadedBpf = {
    strategy: strategy.name,
    programs: unique(members.flatMap(({ programs }) => programs)),
    object,
    links,
    parts: new Map([...choices].map(([part, { name }]) => [part, name])),
    lacks: lacksOf(profile, choices, options),
    close: () => closeAll(object, links),
  };
  try {
    prepare(ground, combination, loaded, options);
    object.load();
    options.beforeAttach?.(object);
    const uprobes = uprobeKinds(object, members);
    for (const program of unique(members.flatMap(({ attach, programs }) => attach ?? programs))) {
      if (!uprobes.has(program)) links.set(program, object.attach(program));
    }
    for (const [kind, program] of new Map([...uprobes].map(([program, kind]) => [kind, program]))) {
      tryUprobes(object, program, kind);
    }
    options.verify?.(loaded);
  } catch (error) {
    discard(loaded, logger);
    throw error;
  }
  return loaded;
}

/** Closes what was refused: the reason matters more than how that goes, and is not lost to it. */
export function discard(loaded: LoadedBpf, logger: Logger): void {
  try {
    void loaded.close();
  } catch (closing) {
    logger.warn({ error: describeError(closing) }, 'closing a refused strategy failed');
  }
}

/** All that has to be said before load. */
function prepare(
  { kernel, profile }: Ground,
  combination: Combination,
  { object, programs }: LoadedBpf,
  { constants = {}, maxEntries = {}, onDemand = [] }: LoadOptions,
): void {
  const members = [combination.strategy, ...combination.choices.values()];
  for (const member of members) {
    for (const [name, parameter] of Object.entries(member.constants ?? {})) {
      object.setConstant(name, kernel.resolve(parameter));
    }
  }
  for (const [name, value] of Object.entries(constants)) object.setConstant(name, value);
  for (const [map, entries] of Object.entries(maxEntries)) object.setMaxEntries(map, entries);
  if (kernel.check({ btf_type: 'bpf_mem_alloc' }).holds) {
    for (const map of onDemand) object.allocateOnDemand(map);
  }
  object.selectPrograms(programs);
  for (const { hooks = {} } of members) {
    for (const [program, hook] of Object.entries(hooks)) object.setHook(program, hook);
  }
  for (const [program, kind] of uprobeKinds(object, members)) object.setUprobeKind(program, kind);
  object.omitMaps(needless(profile, combination));
}

/** By program; they are attached on demand. */
function uprobeKinds(
  object: BpfObject,
  members: readonly (Strategy | Choice)[],
): ReadonlyMap<string, UprobeKind> {
  const probes = new Set(
    object.programs.filter(({ section }) => isUprobe(section)).map(({ name }) => name),
  );
  return new Map(
    members.flatMap(({ programs, uprobes = 'perf' }) =>
      programs
        .filter((program) => probes.has(program))
        .map((program) => {
          const kind = typeof uprobes === 'string' ? uprobes : uprobes[program];
          return [program, kind ?? 'perf'] as const;
        }),
    ),
  );
}

/** The maps of this load that nothing in it uses; some the kernel may not even be able to make. */
function needless(profile: KernelProfile, { strategy, choices }: Combination): string[] {
  const used = [...choices.values()].flatMap(({ maps = [] }) => maps);
  const owned = (profile.parts ?? []).flatMap((part) => part.choices).flatMap((c) => c.maps ?? []);
  const candidates = unique([...(strategy.omit_maps ?? []), ...owned]);
  return candidates.filter((map) => !used.includes(map));
}

function lacksOf(
  { parts = [] }: KernelProfile,
  choices: ReadonlyMap<string, Choice>,
  { without = [] }: LoadOptions,
): string[] {
  const wanted = parts.filter(({ name }) => !without.includes(name));
  return unique(wanted.filter(({ name }) => !choices.has(name)).flatMap(({ lacks }) => lacks));
}

function closeAll(object: BpfObject, links: Map<string, BpfLink>): void {
  const errors: unknown[] = [];
  for (const closable of [...[...links.values()].reverse(), object]) {
    try {
      void closable.close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, 'closing a BPF object failed');
}

const unique = (names: readonly string[]) => [...new Set(names)];
