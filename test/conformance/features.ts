/**
 * Every feature of BPF that a plugin may ask the kernel for, from its built objects and its profiles:
 * nobody keeps this list by hand.
 */
import { readFileSync } from 'node:fs';
import { type Feature, featureId, mapType, programType } from '../../core/bpf/feature.js';
import type { BpfHost, BpfObject } from '../../core/bpf/host.js';
import { programUses } from '../../core/bpf/instructions.js';
import { isUprobe, parseSection } from '../../core/bpf/section.js';
import { missingFacts } from '../../core/kernel/facts.js';
import type { Choice, Kernel, KernelProfile, Strategy } from '../../core/kernel/kernel.js';

/** What `auto` may come to on this kernel: the strategies and choices whose facts hold. */
export function waysOf(kernel: Kernel, profile: KernelProfile): (Strategy | Choice)[] {
  const choices = (profile.parts ?? []).flatMap((part) => part.choices);
  const strategies = profile.strategies.filter(({ manual }) => manual !== true);
  return [...strategies, ...choices].filter((way) => missingFacts(kernel, way).length === 0);
}

/** By `featureId`, sorted. */
export function featuresOf(
  host: BpfHost,
  objectFile: string,
  ways: readonly (Strategy | Choice)[],
): ReadonlyMap<string, Feature> {
  const object = host.open(objectFile);
  try {
    const uses = new Map(programUses(readFileSync(objectFile)).map((each) => [each.name, each]));
    const found = ways.flatMap((way) =>
      way.programs.flatMap((name): Feature[] => {
        const { section = '', helpers = [], maps = [] } = uses.get(name) ?? {};
        return [
          ...typesOf(way, name, section),
          ...helpers.map((helper): Feature => ({ kind: 'helper', name: helper })),
          ...maps.flatMap((map) => featuresOfMap(object, map)),
        ];
      }),
    );
    const byId = new Map(found.map((feature) => [featureId(feature), feature]));
    return new Map([...byId].sort(([one], [other]) => (one < other ? -1 : 1)));
  } finally {
    object.close();
  }
}

function typesOf(way: Strategy | Choice, program: string, section: string): Feature[] {
  const { uprobes = 'perf', attach = way.programs } = way;
  const kind = typeof uprobes === 'string' ? uprobes : uprobes[program];
  const name = programType(section, kind);
  const runs = ['raw_tp', 'syscall'].includes(name) && parseSection(section).hook === '';
  const attaches = attach.includes(program) || isUprobe(section);
  return [
    { kind: 'program', name },
    ...(runs
      ? [{ kind: 'run', name } as const]
      : attaches
        ? [{ kind: 'attach', name } as const]
        : []),
  ];
}

/** Maps of global variables are libbpf's to make. */
function featuresOfMap(object: BpfObject, name: string): Feature[] {
  const spec = object.maps.find((map) => map.name === name);
  if (spec === undefined || name.startsWith('.')) return [];
  return [
    { kind: 'map', name: mapType(spec) },
    ...(spec.mmapable ? [{ kind: 'flag', name: 'mmapable' } as const] : []),
  ];
}
