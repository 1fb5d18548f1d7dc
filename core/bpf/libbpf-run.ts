import type { MemWatcherError } from '../errors.js';
import { programType } from './feature.js';
import type { ProgramSpec, RunOptions, RunResult } from './host.js';
import type { LibbpfApi } from './libbpf-api.js';
import { featureRefusal } from './libbpf-load.js';
import { isDenied, refusal } from './refusal.js';

/** struct bpf_test_run_opts of libbpf 1.0. */
const SIZE = 80;
const CTX_IN = 32;
const CTX_SIZE_IN = 48;
const RETVAL = 56;
const FLAGS = 68;
const CPU = 72;
const RUN_ON_CPU = 1;

/** BPF_PROG_TEST_RUN of a raw_tp or syscall program: the kernel takes a context, and no data. */
export function runProgram(
  api: LibbpfApi,
  program: ProgramSpec,
  fd: number,
  { cpu, context }: RunOptions,
): RunResult {
  const buffer = new ArrayBuffer(SIZE);
  const opts = new DataView(buffer);
  opts.setBigUint64(0, BigInt(SIZE), true);
  // A copy outside V8's heap: its address must hold still during the call.
  const copy = new Uint8Array(new ArrayBuffer(context?.length ?? 0));
  if (context && context.length > 0) {
    copy.set(context);
    opts.setBigUint64(CTX_IN, api.addressOf(copy), true);
    opts.setUint32(CTX_SIZE_IN, context.length, true);
  }
  if (cpu !== undefined) {
    opts.setUint32(FLAGS, RUN_ON_CPU, true);
    opts.setUint32(CPU, cpu, true);
  }
  const error = api.testRun(fd, new Uint8Array(buffer));
  if (error < 0) throw runRefused(api, program, error);
  return { retval: opts.getInt32(RETVAL, true) };
}

export function runRefused(
  api: Pick<LibbpfApi, 'probeHelper'>,
  { name: program, section }: ProgramSpec,
  errno: number,
): MemWatcherError {
  const what = `cannot run ${program}`;
  if (!isDenied(errno)) return refusal('BPF_RUN_FAILED', what, errno, [], { program });
  const feature = { kind: 'run', name: programType(section) } as const;
  return featureRefusal(api, 'BPF_RUN_FAILED', what, feature, errno, { program });
}
