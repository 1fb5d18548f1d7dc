/** One guest: booted under QEMU without hardware help, watched until it is down. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type BundledFile, bundleTests } from './bundle.js';
import { APP, addModules, baseArchive, overlay } from './initramfs.js';
import { type KernelFiles, moduleFiles } from './kernels.js';

/** `plain` and `memleak` are the same machine: no guest is to run for long. */
export type Scenario = 'plain' | 'memleak' | 'swap' | 'numa' | 'smoke';

export interface GuestOptions {
  readonly kernel: KernelFiles;
  readonly scenario: Scenario;
  readonly cpus: number;
  /** Test files that the plan runs: they are bundled. */
  readonly files: readonly string[];
  /** Shell lines, run one after the other in /app. */
  readonly plan: string;
  readonly timeoutMs: number;
  readonly onLine: (line: string) => void;
}

export interface GuestResult {
  /** The guest's own marker was seen: it booted. */
  readonly started: boolean;
  /** The plan ran to its end. */
  readonly ended: boolean;
  readonly timedOut: boolean;
  /** From the start of QEMU to the guest's marker, and to the end of the guest. */
  readonly bootMs: number;
  readonly totalMs: number;
  /** What the kernel said, whole. */
  readonly console: string;
  /** Lines of the kernel that say that something broke after the agent started. */
  readonly splats: readonly string[];
}

export const GUEST_MEMORY_MIB = 2048;
/** What costs an emulated CPU much and no test looks at: a quarter of a guest's time. */
const QUICKER =
  'mitigations=off init_on_alloc=0 apparmor=0 selinux=0 audit=0 rcupdate.rcu_expedited=1';
/** What a guest says after it broke is waited for as long. */
const LOOK_EVERY_MS = 10_000;
const MODULES: Partial<Record<Scenario, readonly string[]>> = {
  swap: ['lzo', 'lzo_rle', 'zram'],
};
const START = 'mem-watcher: start';
const SPLAT =
  /WARNING: |BUG: |kernel BUG|Oops|general protection fault|[Uu]nable to handle|rcu.*stall|soft lockup|hard LOCKUP|blocked for more than|double fault|Kernel panic/;

export async function runGuest(options: GuestOptions): Promise<GuestResult> {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-vm-'));
  try {
    const consoleFile = join(dir, 'console');
    const initrd = join(dir, 'initrd');
    const base = await baseArchive();
    const bundled = await bundleTests(options.files);
    writeFileSync(initrd, Buffer.concat([readFileSync(base), overlayOf(options, bundled)]));
    const serial = ['-serial', `file:${consoleFile}`, '-serial', 'stdio', '-display', 'none'];
    // However this process ends, the guest ends with it.
    const end = ['--pdeathsig', 'KILL', QEMU];
    const qemu = spawn('setpriv', [...end, ...machine(options, initrd), ...serial], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const began = performance.now();
    let bootMs = 0;
    let started = false;
    let ended = false;
    let timedOut = false;
    let complaint = '';
    const timer = setTimeout(() => {
      timedOut = true;
      qemu.kill('SIGKILL');
    }, options.timeoutMs);
    // What it would still say counts for nothing, and a guest that is stuck says nothing for long.
    let broken = false;
    const watch = setInterval(() => {
      if (broken) qemu.kill('SIGKILL');
      broken = splatsOf(readIfThere(consoleFile)).length > 0;
    }, LOOK_EVERY_MS);
    const exit = new Promise<void>((resolve, reject) => {
      qemu.once('error', reject);
      qemu.once('close', () => resolve());
    });
    qemu.stderr.on('data', (data) => {
      complaint += data;
    });
    createInterface({ input: qemu.stdout }).on('line', (raw) => {
      const line = raw.replace(/\r$/, '');
      if (line.startsWith('@@start')) {
        started = true;
        bootMs = performance.now() - began;
      } else if (line === '@@end') ended = true;
      else options.onLine(line);
    });
    await exit.finally(() => {
      clearTimeout(timer);
      clearInterval(watch);
    });
    const log = readIfThere(consoleFile) + complaint;
    const totalMs = performance.now() - began;
    return { started, ended, timedOut, bootMs, totalMs, console: log, splats: splatsOf(log) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const readIfThere = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');

/** Boots into a shell on this terminal; resolves when the guest is down. */
export async function runShell(kernel: KernelFiles, scenario: Scenario): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-vm-'));
  try {
    const initrd = join(dir, 'initrd');
    const base = readFileSync(await baseArchive());
    writeFileSync(initrd, Buffer.concat([base, overlayOf({ kernel, scenario, plan: '' }, [])]));
    const args = [
      ...machine({ kernel, scenario, cpus: kernel.spec.cpus }, initrd, 'mw.shell'),
      '-nographic',
    ];
    const qemu = spawn(QEMU, args, { stdio: 'inherit' });
    await new Promise<void>((resolve, reject) => {
      qemu.once('error', reject);
      qemu.once('close', () => resolve());
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Lines after the agent's start that no test may cause. */
export function splatsOf(log: string): string[] {
  const after = log.indexOf(START);
  if (after < 0) return [];
  return log
    .slice(after)
    .split('\n')
    .filter((line) => SPLAT.test(line))
    .map((line) => line.trim());
}

export const QEMU = 'qemu-system-x86_64';

const overlayOf = (
  { kernel, scenario, plan }: Pick<GuestOptions, 'kernel' | 'scenario' | 'plan'>,
  bundled: readonly BundledFile[],
): Buffer =>
  overlay((archive) => {
    addModules(archive, moduleFiles(kernel, MODULES[scenario] ?? []));
    archive.file('plan', plan);
    for (const { path, content } of bundled) archive.file(join(APP, path), Buffer.from(content));
  });

function machine(
  { kernel, scenario, cpus }: Pick<GuestOptions, 'kernel' | 'scenario' | 'cpus'>,
  initrd: string,
  more = '',
): string[] {
  const memory =
    scenario === 'numa'
      ? ['-object', `memory-backend-ram,id=m0,size=${GUEST_MEMORY_MIB / 2}M`].concat(
          ['-object', `memory-backend-ram,id=m1,size=${GUEST_MEMORY_MIB / 2}M`],
          ['-numa', 'node,nodeid=0,memdev=m0,cpus=0'],
          ['-numa', `node,nodeid=1,memdev=m1${cpus > 1 ? ',cpus=1' : ''}`],
        )
      : [];
  const swap = scenario === 'swap' ? 'mw.swap' : '';
  return [
    ...['-machine', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'max,-la57'],
    ...['-smp', String(cpus), '-m', `${GUEST_MEMORY_MIB}M`, '-no-reboot', '-nic', 'none'],
    ...memory,
    ...['-kernel', kernel.image, '-initrd', initrd],
    ...['-append', `console=ttyS0 loglevel=5 panic=-1 ${QUICKER} ${swap} ${more}`],
  ];
}
