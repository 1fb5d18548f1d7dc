import { basename } from 'node:path';
import type { MemWatcherError } from '../errors.js';
import {
  describeFeature,
  type Feature,
  howToAllow,
  isRecent,
  mapType,
  programType,
} from './feature.js';
import { helperName } from './helpers.js';
import type { MapSpec, ProgramSpec, UprobeKind } from './host.js';
import type { LibbpfApi } from './libbpf-api.js';
import type { Warnings } from './libbpf-log.js';
import { errnoCode, isDenied, missingCapabilities, refusal } from './refusal.js';

const EINVAL = 22;
const DETAIL_LINES = 20;
const SOCKET_FILTER = 1;
/** bpf_ktime_get_coarse_ns came with 5.11, as did accounting to the memory cgroup. */
const KTIME_GET_COARSE_NS = 160;

/** The object that was to be loaded. */
export interface LoadAttempt {
  readonly file: string;
  readonly programs: readonly ProgramSpec[];
  readonly maps: readonly MapSpec[];
  readonly uprobeKind: (program: string) => UprobeKind;
}

/** Why the kernel, or libbpf before it, refused an object: in one sentence, and what to do. */
export function loadFailed(
  api: Pick<LibbpfApi, 'probeHelper'>,
  attempt: LoadAttempt,
  errno: number,
  warnings: Warnings,
): MemWatcherError {
  const verifier = warnings.findLast((text) => text.includes('BEGIN PROG LOAD LOG'));
  const said = lastLines(verifier ?? warnings.join('\n'));
  const map = refusedMap(warnings, attempt);
  const program = map === undefined ? refusedProgram(warnings) : undefined;
  const feature = map ? mapFeature(map, errno) : refusedFeature(program, attempt, said, errno);
  const evidence = { detail: said, ...(program === undefined ? {} : { program }) };
  const object = basename(attempt.file);
  const subject = program ? `program ${program}` : map && `map ${map.name}`;
  const whose = subject === undefined ? object : `${subject} (${object})`;
  if (feature !== undefined) {
    const what = `the kernel refused ${whose}: it does not allow ${describeFeature(feature)}`;
    return featureRefusal(api, 'BPF_LOAD_FAILED', what, feature, errno, evidence);
  }
  const what = subject ? `the kernel refused ${whose}` : `cannot load ${whose}`;
  // The verifier says EACCES, too: then it is not for a missing capability.
  const needed = said !== '' && verifier !== undefined ? [] : CAPABILITIES;
  return refusal('BPF_LOAD_FAILED', what, errno, needed, evidence);
}

const CAPABILITIES = ['CAP_BPF', 'CAP_PERFMON'] as const;

/** The error for one thing that the kernel refuses, with the way to allow it. */
export function featureRefusal(
  api: Pick<LibbpfApi, 'probeHelper'>,
  code: 'BPF_LOAD_FAILED' | 'BPF_ATTACH_FAILED' | 'BPF_RUN_FAILED',
  what: string,
  feature: Feature,
  errno: number,
  evidence: { readonly detail?: string; readonly program?: string },
): MemWatcherError {
  const denied = isDenied(errno);
  const hint = (denied && lockedMemoryHint(api)) || howToAllow(feature, denied);
  const refused = `${describeFeature(feature)} (${errnoCode(errno)})`;
  const needed = feature.kind === 'helper' ? [] : CAPABILITIES;
  return refusal(code, what, errno, needed, { hint, ...evidence, refused });
}

/** libbpf makes the maps first, and says which failed. */
function refusedMap(warnings: Warnings, { maps }: LoadAttempt): MapSpec | undefined {
  const named = warnings
    .map((text) => /map '([^']+)': failed to create/.exec(text)?.[1])
    .find((name) => name !== undefined);
  return maps.find(({ name }) => named === name || (name[0] === '.' && named?.endsWith(name)));
}

/** EINVAL is the kernel's word for a type that it does not know, but also for a size that is wrong. */
function mapFeature(map: MapSpec, errno: number): Feature | undefined {
  const flags = map.mmapable ? { flags: 'BPF_F_MMAPABLE' } : {};
  const feature = { kind: 'map', name: mapType(map), ...flags } as const;
  return isDenied(errno) || (Math.abs(errno) === EINVAL && isRecent(feature)) ? feature : undefined;
}

/** Of others libbpf may have warned before; the first that failed ended it. */
function refusedProgram(warnings: Warnings): string | undefined {
  const named = (pattern: RegExp) =>
    warnings.map((text) => pattern.exec(text)?.[1]).find((name) => name !== undefined);
  return named(/prog '([^']+)': (?:BPF program load failed|failed to )/) ?? named(/prog '([^']+)'/);
}

/** The helper that the verifier names; or the type, if the kernel did not come to verifying. */
function refusedFeature(
  program: string | undefined,
  { programs, uprobeKind }: LoadAttempt,
  said: string,
  errno: number,
): Feature | undefined {
  const [, known, number] = HELPER.exec(said) ?? [];
  if (number !== undefined) {
    const name = known === undefined || known === 'unknown' ? helperName(Number(number)) : known;
    return { kind: 'helper', name };
  }
  const spec = programs.find(({ name }) => name === program);
  if (spec === undefined || !isDenied(errno) || said !== '') return undefined;
  return { kind: 'program', name: programType(spec.section, uprobeKind(spec.name)) };
}

const HELPER = /(?:(?:invalid|unknown) func|cannot use helper) (\w+)#(\d+)/;

function lockedMemoryHint(api: Pick<LibbpfApi, 'probeHelper'>): string | undefined {
  const locked = missingCapabilities(['CAP_SYS_RESOURCE']).length > 0;
  if (!locked || api.probeHelper(SOCKET_FILTER, KTIME_GET_COARSE_NS, null) === 1) return undefined;
  return 'this kernel counts BPF memory as locked: grant CAP_SYS_RESOURCE or set LimitMEMLOCK=infinity';
}

/** What libbpf adds to every refusal, and the verifier's statistics: no reason is in them. */
const BOILERPLATE =
  /-- (BEGIN|END) PROG LOAD LOG --|^permission error while running as root|^prog '.*': (BPF program load failed|failed to load: )|^failed to load object|^processed \d+ insns|^verification time|^stack depth|^Error in bpf_create_map_xattr|^map '.*': failed to create/;

function lastLines(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/^libbpf: /, '').trimEnd())
    .filter((line) => line !== '' && !BOILERPLATE.test(line));
  return lines.slice(-DETAIL_LINES).join('\n');
}
