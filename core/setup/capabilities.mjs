/** Whether this user could load BPF programs: by its own capabilities, or by those of Node's file. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { path } from './paths.mjs';

/** Bits of linux/capability.h. CAP_SYS_ADMIN (21) stands for both. */
const NEEDED = { CAP_BPF: 39n, CAP_PERFMON: 38n };
const SYS_ADMIN = 21n;

export function missingCapabilities() {
  const status = readFileSync('/proc/self/status', 'utf8');
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  const has = (bit) => ((effective >> bit) & 1n) === 1n;
  const missing = Object.entries(NEEDED).filter(([, bit]) => !has(bit) && !has(SYS_ADMIN));
  if (missing.length === 0 || nodeHasThem()) return [];
  return missing.map(([name]) => name);
}

function nodeHasThem() {
  const node = path('node_modules/node/bin/node');
  const result = spawnSync('/sbin/getcap', [node], { encoding: 'utf8' });
  return /cap_perfmon/.test(result.stdout ?? '') && /cap_bpf/.test(result.stdout ?? '');
}
