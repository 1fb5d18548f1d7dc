/** Why functions of a file could not be probed, in words that say what to do. */
import { statSync } from 'node:fs';
import { type ErrorOptions, MemWatcherError } from '../errors.js';
import { describeFeature, howToAllow, programType } from './feature.js';
import type { UprobeKind, UprobeTarget } from './host.js';
import { ENOENT, errnoCode, errnoText, isDenied, refusal } from './refusal.js';

const ESRCH = 3;
const EIO = 5;
const E2BIG = 7;
const EBADF = 9;
const EINVAL = 22;
const EMFILE = 24;
const ESTALE = 116;
const EOPNOTSUPP = 95;
const ENOTSUPP = 524;

/** The kernel's bound on one link. */
const MAX_OFFSETS = 1 << 20;

/** What the kernel would only answer with EINVAL. INTERNAL: the caller's mistake. */
export function checkTarget(program: string, kind: UprobeKind, target: UprobeTarget): void {
  const { path, offsets, pid, cookies, isReturn } = target;
  const wrong =
    offsets.length === 0 || offsets.length > MAX_OFFSETS
      ? `${offsets.length} offsets`
      : offsets.some((offset) => !Number.isSafeInteger(offset) || offset < 0)
        ? `the offsets ${offsets.join(', ')}`
        : path === '' || path.includes('\0')
          ? `the path ${JSON.stringify(path)}`
          : pid !== undefined && !(Number.isInteger(pid) && pid > 0 && pid < 2 ** 31)
            ? `the pid ${pid}`
            : cookies !== undefined && cookies.length !== offsets.length
              ? `${cookies.length} cookies for ${offsets.length} offsets`
              : kind === 'session' && isReturn !== undefined
                ? 'a session, which has both entry and return, at one of them'
                : undefined;
  if (wrong === undefined) return;
  throw new MemWatcherError('INTERNAL', `cannot attach ${program} to ${wrong}`);
}

export function uprobeRefusal(
  program: string,
  kind: UprobeKind,
  { path, offsets, pid }: UprobeTarget,
  errno: number,
  evidence: ErrorOptions,
): MemWatcherError {
  const [first = 0, ...others] = offsets;
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  const where = `${path}+0x${first.toString(16)}${more}${pid === undefined ? '' : ` of ${pid}`}`;
  const what = `cannot attach ${program} to ${where} (${kind})`;
  if (errno === ESRCH || errno === ENOENT || errno === ESTALE) {
    const gone = errno === ESRCH ? `the process ${pid} is gone` : 'the file is gone';
    return new MemWatcherError('TARGET_GONE', `${what}: ${gone}`, evidence);
  }
  if (isDenied(errno)) {
    const needed = ['CAP_BPF', 'CAP_PERFMON'] as const;
    const all = kind === 'perf' ? ([...needed, 'CAP_SYS_ADMIN'] as const) : needed;
    const feature = { kind: 'attach', name: programType('uprobe', kind) } as const;
    const refused = `${describeFeature(feature)} (${errnoCode(errno)})`;
    const allow = howToAllow(feature, true);
    return refusal('BPF_ATTACH_FAILED', what, errno, all, { hint: allow, ...evidence, refused });
  }
  const hint = hintOf(kind, errno, path, Math.max(...offsets.slice(0, 1000)));
  const options = hint === undefined ? evidence : { ...evidence, hint };
  return new MemWatcherError('BPF_ATTACH_FAILED', `${what}: ${errnoText(errno)}`, options);
}

function hintOf(kind: UprobeKind, errno: number, path: string, last: number): string | undefined {
  switch (errno) {
    case EINVAL:
    case E2BIG:
      if (last >= sizeOf(path)) return 'the offset is beyond the end of the file';
      return kind === 'perf'
        ? 'this place of the file cannot be probed'
        : `the kernel is too old for ${kind} links, or this place of the file cannot be probed`;
    case ENOTSUPP:
    case EOPNOTSUPP:
      return kind === 'perf'
        ? 'the kernel cannot probe this instruction, or keeps no cookies (before 5.15)'
        : 'the kernel cannot probe this instruction';
    case EIO:
      return 'files of this file system cannot be probed';
    case EBADF:
      return 'it is no regular file';
    case EMFILE:
      return 'raise the limit of open files (LimitNOFILE= in the systemd unit)';
    default:
      return undefined;
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
