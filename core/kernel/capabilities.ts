/** Capabilities of this process by name. */
import { readFileSync } from 'node:fs';

/** By number, from include/uapi/linux/capability.h. */
const NAMES = [
  ...['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID'],
  ...['SETPCAP', 'LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW'],
  ...['IPC_LOCK', 'IPC_OWNER', 'SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT'],
  ...['SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE', 'SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD'],
  ...['LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP', 'MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG'],
  ...['WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF', 'CHECKPOINT_RESTORE'],
].map((name) => `CAP_${name}`);

/** What the kernel lets CAP_SYS_ADMIN stand in for (bpf_capable and perfmon_capable, since 5.8). */
const IMPLIED_BY_ADMIN = new Set(['CAP_BPF', 'CAP_PERFMON']);

/** `bpf` and `cap_bpf` are `CAP_BPF`. */
export function capabilityName(text: string): string {
  const upper = text.trim().toUpperCase();
  return upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
}

export const isCapability = (name: string) => NAMES.includes(capabilityName(name));

/** Whether a process that holds `held` may do what needs `name`. */
export function hasCapability(held: ReadonlySet<string>, name: string): boolean {
  const wanted = capabilityName(name);
  return held.has(wanted) || (IMPLIED_BY_ADMIN.has(wanted) && held.has('CAP_SYS_ADMIN'));
}

/** The effective set. Throws what reading throws. */
export function readCapabilities(statusFile = '/proc/self/status'): ReadonlySet<string> {
  return parseCapabilities(readFileSync(statusFile, 'latin1'));
}

/** The effective set in the text of a /proc/PID/status. */
export function parseCapabilities(status: string): ReadonlySet<string> {
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
  const bits = BigInt(`0x${hex}`);
  return new Set(NAMES.filter((_, bit) => (bits >> BigInt(bit)) & 1n));
}
