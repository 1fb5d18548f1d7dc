import type { MemWatcherError } from '../errors.js';
import type { LibbpfApi } from './libbpf-api.js';
import type { Warnings } from './libbpf-log.js';
import { isDenied, missingCapabilities, refusal } from './refusal.js';

const DETAIL_LINES = 20;
const SOCKET_FILTER = 1;
/** bpf_ktime_get_coarse_ns came with 5.11, as did accounting to the memory cgroup. */
const KTIME_GET_COARSE_NS = 160;

/** Why the kernel, or libbpf before it, refused an object. */
export function loadFailed(
  api: LibbpfApi,
  file: string,
  errno: number,
  warnings: Warnings,
): MemWatcherError {
  const verifier = warnings.findLast((text) => text.includes('BEGIN PROG LOAD LOG'));
  const program = refusedProgram(warnings);
  const detail = lastLines(verifier ?? warnings.join('\n'));
  const evidence = { detail, ...(program === undefined ? {} : { program }) };
  const what = program ? `the kernel refuses ${program} of ${file}` : `cannot load ${file}`;
  // The verifier says EACCES, too: then it is not for a missing capability.
  if (verifier !== undefined) {
    return refusal('BPF_LOAD_FAILED', what, errno, [], evidence);
  }
  const hint = isDenied(errno) ? deniedHint(api) : undefined;
  return refusal('BPF_LOAD_FAILED', what, errno, ['CAP_BPF', 'CAP_PERFMON'], {
    ...evidence,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Of others libbpf may have warned before; the first that failed ended it. */
function refusedProgram(warnings: Warnings): string | undefined {
  const named = (pattern: RegExp) =>
    warnings.map((text) => pattern.exec(text)?.[1]).find((name) => name !== undefined);
  return named(/prog '([^']+)': (?:BPF program load failed|failed to )/) ?? named(/prog '([^']+)'/);
}

function deniedHint(api: LibbpfApi): string {
  const locked = missingCapabilities(['CAP_SYS_RESOURCE']).length > 0;
  const accounted = api.probeHelper(SOCKET_FILTER, KTIME_GET_COARSE_NS, null) === 1;
  return locked && !accounted
    ? 'this kernel counts BPF memory as locked: grant CAP_SYS_RESOURCE or set LimitMEMLOCK=infinity'
    : 'the capabilities are there: kernel lockdown or a security module forbids it';
}

/** What libbpf adds to every refusal: the message has it, and better than `ulimit -l`. */
const BOILERPLATE =
  /-- (BEGIN|END) PROG LOAD LOG --|^permission error while running as root|^prog '.*': (BPF program load failed|failed to load: )|^failed to load object/;

function lastLines(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/^libbpf: /, '').trimEnd())
    .filter((line) => line !== '' && !BOILERPLATE.test(line));
  return lines.slice(-DETAIL_LINES).join('\n');
}
