/** Whether BPF programs could be loaded here: by this user, or by what Node's file was given. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { NODE, path } from './paths.mjs';
import { findProgram } from './programs.mjs';
import { SetupError } from './progress.mjs';
import { quoted } from './quoted.mjs';
import { asRoot, isRoot } from './root.mjs';

/** Bits of linux/capability.h. CAP_SYS_ADMIN stands for both that are needed. */
const BITS = { CAP_BPF: 39n, CAP_PERFMON: 38n, CAP_SYS_RESOURCE: 24n };
const NEEDED = ['CAP_BPF', 'CAP_PERFMON'];
const SYS_ADMIN = 21n;

export function missingCapabilities() {
  const missing = lacking(effective(readFileSync('/proc/self/status', 'utf8')));
  // The pinned Node may hold what this one does not: only itself can tell.
  return missing.length === 0 ? missing : lacking(effective(statusOfNode()));
}

/** What a person can do about it. */
export function capabilityShortage(missing) {
  const message = `BPF programs may not be loaded: ${missing.join(', ')} missing`;
  if (isRoot()) {
    const options = missing.map((name) => `--cap-add ${name.slice('CAP_'.length)}`).join(' ');
    return new SetupError(
      `${message}, though this is root`,
      `start this container with them: --privileged, or ${options} and a seccomp profile that allows bpf()`,
    );
  }
  // An executable that asks for more than the kernel lets anybody here have cannot be started.
  const bounds = set('CapBnd', readFileSync('/proc/self/status', 'utf8'));
  const granted = [...NEEDED, ...(countsMemory() ? ['CAP_SYS_RESOURCE'] : [])].filter((name) =>
    has(bounds, BITS[name]),
  );
  const setcap = `setcap ${granted.join(',').toLowerCase()}=ep ${quoted(path('node_modules/node/bin/node'))}`;
  const install = findProgram('setcap') ? [] : ['apt-get install -y libcap2-bin'];
  return new SetupError(
    message,
    `${asRoot('npm start')}\n` +
      `  or give the pinned Node what it needs, once: ${asRoot(...install, setcap)}`,
  );
}

const lacking = (capabilities) =>
  NEEDED.filter((name) => !has(capabilities, BITS[name]) && !has(capabilities, SYS_ADMIN));

const has = (capabilities, bit) => ((capabilities >> bit) & 1n) === 1n;

const effective = (status) => set('CapEff', status);

function set(name, status) {
  return BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)`, 'm').exec(status)?.[1] ?? '0'}`);
}

function statusOfNode() {
  const script = "process.stdout.write(require('node:fs').readFileSync('/proc/self/status'))";
  return spawnSync(NODE, ['-e', script], { encoding: 'utf8' }).stdout ?? '';
}

/** Kernels before 5.11 count BPF memory as locked, and the usual limit is too low for it. */
function countsMemory() {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major < 5 || (major === 5 && minor < 11);
}
