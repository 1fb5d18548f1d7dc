import { readFileSync } from 'node:fs';
import { getSystemErrorMap } from 'node:util';
import { type ErrorCode, type ErrorOptions, MemWatcherError } from '../errors.js';
import { parseCapabilities } from '../kernel/capabilities.js';

export type Capability =
  | 'CAP_SYS_ADMIN'
  | 'CAP_SYS_RESOURCE'
  | 'CAP_SYSLOG'
  | 'CAP_PERFMON'
  | 'CAP_BPF';

export const ENOENT = 2;
const EPERM = 1;
const EACCES = 13;
/** The kernel's own "not supported", which no libc knows. */
const ENOTSUPP = 524;

/** `ENOENT (no such file or directory)` for 2 or -2. */
export function errnoText(errno: number): string {
  const code = Math.abs(errno);
  if (code === ENOTSUPP) return 'ENOTSUPP (not supported by the kernel)';
  const known = getSystemErrorMap().get(-code);
  return known ? `${known[0]} (${known[1]})` : `errno ${code}`;
}

/** `EPERM` for 1 or -1. */
export const errnoCode = (errno: number): string => errnoText(errno).split(' (')[0] ?? '';

/** Whether errno says that the hook, type or feature does not exist here. */
export function isAbsent(errno: number): boolean {
  // ENOENT, ESRCH, ENODEV, EOPNOTSUPP, EADDRNOTAVAIL
  return [ENOENT, 3, 19, 95, 99, ENOTSUPP].includes(Math.abs(errno));
}

export function isDenied(errno: number): boolean {
  return [EPERM, EACCES].includes(Math.abs(errno));
}

/** Those of `needed` that this process does not have; CAP_SYS_ADMIN contains BPF and PERFMON. */
export function missingCapabilities(
  needed: readonly Capability[],
  status: string = readFileSync('/proc/self/status', 'utf8'),
): Capability[] {
  const held = parseCapabilities(status);
  const has = (name: Capability) => held.has(name);
  const covered = has('CAP_SYS_ADMIN') ? ['CAP_BPF', 'CAP_PERFMON', 'CAP_SYSLOG'] : [];
  return needed.filter((name) => !has(name) && !covered.includes(name));
}

/**
 * The error for a refused call: PERMISSION_DENIED with the missing capabilities if that is why,
 * else `code`.
 */
export function refusal(
  code: ErrorCode,
  what: string,
  errno: number,
  needed: readonly Capability[],
  options: ErrorOptions = {},
): MemWatcherError {
  const missing = isDenied(errno) ? missingCapabilities(needed) : [];
  const message = `${what}: ${errnoText(errno)}`;
  if (missing.length === 0) return new MemWatcherError(code, message, options);
  return new MemWatcherError('PERMISSION_DENIED', `${message}; ${missing.join(', ')} missing`, {
    ...options,
    hint: `run as root, or with AmbientCapabilities=${missing.join(' ')} (systemd) or setcap`,
  });
}
