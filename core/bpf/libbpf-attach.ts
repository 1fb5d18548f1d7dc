import { existsSync } from 'node:fs';
import { MemWatcherError, NotSupported } from '../errors.js';
import { programType } from './feature.js';
import type { AttachTarget, ProgramSpec } from './host.js';
import type { LibbpfApi, Pointer } from './libbpf-api.js';
import { featureRefusal } from './libbpf-load.js';
import { errnoText, isAbsent, isDenied, refusal } from './refusal.js';
import { parseSection } from './section.js';

const TRACEFS = ['/sys/kernel/tracing/events', '/sys/kernel/debug/tracing/events'];
const MOUNT_TRACEFS =
  'classic tracepoints need tracefs: mount -t tracefs nodev /sys/kernel/tracing';

/** Attaches by the section's kind, but uprobes; gives libbpf's `struct bpf_link *`. */
export function attachProgram(
  api: LibbpfApi,
  program: { readonly spec: ProgramSpec; readonly pointer: Pointer },
  target: AttachTarget & { readonly mapDescriptor?: number },
  warnings: readonly string[],
): Pointer {
  const { kind, hook: named } = parseSection(program.spec.section);
  const hook = target.hook ?? named;
  const { pointer } = program;
  let link: Pointer | null;
  switch (kind) {
    case 'tp_btf':
    case 'fentry':
    case 'fexit':
    case 'fmod_ret':
      link = api.attach(pointer);
      break;
    case 'iter':
      link = attachIterator(api, pointer, target.mapDescriptor);
      break;
    case 'raw_tp':
    case 'raw_tracepoint':
      link = api.attachRawTracepoint(pointer, hook);
      break;
    case 'tp':
    case 'tracepoint': {
      const [category = '', name = ''] = hook.split('/');
      link = api.attachTracepoint(pointer, category, name);
      break;
    }
    case 'kprobe':
    case 'kretprobe':
      link = api.attachKprobe(pointer, target.isReturn ?? kind === 'kretprobe', hook);
      break;
    default:
      throw unable(program.spec, `programs of the section ${program.spec.section} are only run`);
  }
  if (link !== null) return link;
  throw attachRefused(api, program.spec, hook, api.errno(), warnings);
}

/** struct bpf_iter_attach_opts of libbpf 1.0, and union bpf_iter_link_info with a map. */
const ITERATOR_SIZE = 24;
const ITERATOR_LINK_SIZE = 16;

function attachIterator(
  api: LibbpfApi,
  program: Pointer,
  mapDescriptor: number | undefined,
): Pointer | null {
  if (mapDescriptor === undefined) return api.attachIterator(program, null);
  const info = new Uint8Array(new Uint32Array(ITERATOR_LINK_SIZE / 4).buffer);
  new DataView(info.buffer).setUint32(0, mapDescriptor, true);
  const opts = new DataView(new ArrayBuffer(ITERATOR_SIZE));
  opts.setBigUint64(0, BigInt(ITERATOR_SIZE), true);
  opts.setBigUint64(8, api.addressOf(info), true);
  opts.setUint32(16, ITERATOR_LINK_SIZE, true);
  return api.attachIterator(program, new Uint8Array(opts.buffer));
}

/** Why the kernel does not attach a program, uprobes aside. */
export function attachRefused(
  api: Pick<LibbpfApi, 'probeHelper'>,
  spec: ProgramSpec,
  hook: string,
  errno: number,
  warnings: readonly string[],
): MemWatcherError {
  const detail = warnings.length > 0 ? { detail: warnings.join('\n') } : {};
  const evidence = { ...detail, program: spec.name };
  const { kind } = parseSection(spec.section);
  if (isAbsent(errno)) {
    const fact = `the hook ${kind} ${hook} (${errnoText(errno)})`;
    const blind =
      (kind === 'tp' || kind === 'tracepoint') && !TRACEFS.some((path) => existsSync(path));
    return new NotSupported(fact, blind ? { ...evidence, hint: MOUNT_TRACEFS } : evidence);
  }
  const what = `cannot attach ${spec.name} to ${kind} ${hook}`;
  if (!isDenied(errno)) return refusal('BPF_ATTACH_FAILED', what, errno, [], evidence);
  const feature = { kind: 'attach', name: programType(spec.section) } as const;
  return featureRefusal(api, 'BPF_ATTACH_FAILED', what, feature, errno, evidence);
}

export function unable(spec: ProgramSpec, why: string): MemWatcherError {
  return new MemWatcherError('BPF_ATTACH_FAILED', `cannot attach ${spec.name}: ${why}`);
}
