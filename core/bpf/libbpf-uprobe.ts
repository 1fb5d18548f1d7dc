/**
 * Probes of functions of user space. libbpf 1.1 knows those of perf events; links for many offsets
 * (uprobe_multi since 6.6, sessions since 6.13) are made by bpf(2) itself.
 */
import { close, closeSync } from 'node:fs';
import type { ErrorOptions, MemWatcherError } from '../errors.js';
import type { ProgramSpec, UprobeKind, UprobeTarget } from './host.js';
import type { LibbpfApi, Pointer } from './libbpf-api.js';
import { parseSection } from './section.js';
import { checkTarget, uprobeRefusal } from './uprobe-refusal.js';

/** enum bpf_attach_type. */
export const ATTACH_TYPES: Readonly<Record<UprobeKind, number>> = {
  perf: 0,
  multi: 48,
  session: 57,
};

const LINK_CREATE = 28;
const F_UPROBE_MULTI_RETURN = 1;
/** The link_create part of union bpf_attr as far as uprobe_multi goes, rounded up. */
const ATTR = { size: 64, program: 0, type: 8, path: 16, offsets: 24, cookies: 40 } as const;
const ATTR_COUNT = 48;
const ATTR_FLAGS = 52;
const ATTR_PID = 56;

/** struct bpf_uprobe_opts of libbpf 1.0. */
const OPTS_SIZE = 40;
const OPTS_COOKIE = 16;
const OPTS_RETURN = 24;

/** How what is attached is detached; gives 0 or -errno. One of the two, once. */
export interface Detach {
  now(): number;
  /** On another thread. */
  soon(): Promise<number>;
}

export interface UprobeProgram {
  readonly spec: ProgramSpec;
  readonly pointer: Pointer;
  readonly fd: number;
  readonly kind: UprobeKind;
}

export function attachUprobes(
  api: LibbpfApi,
  program: UprobeProgram,
  target: UprobeTarget,
  warnings: readonly string[],
): Detach {
  const { spec, kind } = program;
  checkTarget(spec.name, kind, target);
  const isReturn = target.isReturn ?? parseSection(spec.section).kind === 'uretprobe';
  if (kind !== 'perf') return attachAll(api, program, target, isReturn);
  return attachEach(api, program, target, isReturn, warnings);
}

/** One perf event an offset: all or none. */
function attachEach(
  api: LibbpfApi,
  { spec, pointer }: UprobeProgram,
  target: UprobeTarget,
  isReturn: boolean,
  warnings: readonly string[],
): Detach {
  const { path, offsets, pid = -1, cookies = [] } = target;
  const links: Pointer[] = [];
  const detach: Detach = {
    now() {
      let failed = 0;
      for (const link of links.splice(0).reverse()) failed = api.destroyLink(link) || failed;
      return failed;
    },
    async soon() {
      const gone = await Promise.all(links.splice(0).reverse().map(api.destroyLinkSoon));
      return gone.find((result) => result < 0) ?? 0;
    },
  };
  for (const [n, offset] of offsets.entries()) {
    const opts = new DataView(new ArrayBuffer(OPTS_SIZE));
    opts.setBigUint64(0, BigInt(OPTS_SIZE), true);
    opts.setBigUint64(OPTS_COOKIE, BigInt(cookies[n] ?? 0), true);
    opts.setUint8(OPTS_RETURN, Number(isReturn));
    const link = api.attachUprobe(pointer, pid, path, offset, new Uint8Array(opts.buffer));
    if (link !== null) {
      links.push(link);
      continue;
    }
    const errno = api.errno();
    detach.now();
    const only = { ...target, offsets: [offset] };
    throw refused(spec, 'perf', only, errno, warnings.length > 0 ? warnings.join('\n') : undefined);
  }
  return detach;
}

/** One link for all offsets. */
function attachAll(
  api: LibbpfApi,
  { spec, fd, kind }: UprobeProgram,
  target: UprobeTarget,
  isReturn: boolean,
): Detach {
  const flags = kind === 'multi' && isReturn ? F_UPROBE_MULTI_RETURN : 0;
  const attributes = linkAttributes(api, { fd, kind, flags, target });
  const link = api.bpf(LINK_CREATE, attributes, ATTR.size);
  if (link < 0) throw refused(spec, kind, target, api.errno());
  return {
    now() {
      closeSync(link);
      return 0;
    },
    soon: () =>
      new Promise((resolve, reject) => {
        close(link, (error) => (error ? reject(error) : resolve(0)));
      }),
  };
}

/** One block of memory, which holds still while the kernel reads it: the attributes point into it. */
function linkAttributes(
  api: LibbpfApi,
  link: {
    readonly fd: number;
    readonly kind: UprobeKind;
    readonly flags: number;
    readonly target: UprobeTarget;
  },
): Uint8Array {
  const { offsets, cookies = [], pid = 0, path } = link.target;
  const text = Buffer.from(`${path}\0`);
  const cookiesAt = ATTR.size + 8 * offsets.length;
  const textAt = cookiesAt + 8 * cookies.length;
  const block = new Uint8Array(new ArrayBuffer(textAt + text.length));
  const view = new DataView(block.buffer);
  const address = api.addressOf(block);
  const point = (at: number, to: number) => view.setBigUint64(at, address + BigInt(to), true);
  view.setUint32(ATTR.program, link.fd, true);
  view.setUint32(ATTR.type, ATTACH_TYPES[link.kind], true);
  point(ATTR.path, textAt);
  point(ATTR.offsets, ATTR.size);
  if (cookies.length > 0) point(ATTR.cookies, cookiesAt);
  view.setUint32(ATTR_COUNT, offsets.length, true);
  view.setUint32(ATTR_FLAGS, link.flags, true);
  view.setUint32(ATTR_PID, pid, true);
  for (const [n, offset] of offsets.entries()) {
    view.setBigUint64(ATTR.size + 8 * n, BigInt(offset), true);
  }
  for (const [n, cookie] of cookies.entries()) {
    view.setBigUint64(cookiesAt + 8 * n, BigInt.asUintN(64, BigInt(cookie)), true);
  }
  block.set(text, textAt);
  return block;
}

function refused(
  spec: ProgramSpec,
  kind: UprobeKind,
  target: UprobeTarget,
  errno: number,
  detail?: string,
): MemWatcherError {
  const evidence: ErrorOptions = {
    program: spec.name,
    ...(detail === undefined ? {} : { detail }),
  };
  return uprobeRefusal(spec.name, kind, target, errno, evidence);
}
