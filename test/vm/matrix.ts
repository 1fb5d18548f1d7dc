/** Runs built test files on kernels of the matrix and says how each test went. */
import { globSync } from 'node:fs';
import { availableParallelism, freemem } from 'node:os';
import { matchesGlob } from 'node:path';
import { command } from '../command.js';
import { FILE_MARK, type FileLine, MARK, type TestLine } from '../reporter.js';
import { GUEST_MEMORY_MIB, type GuestResult, QEMU, runGuest, type Scenario } from './guest.js';
import { ROOT } from './initramfs.js';
import { fetchKernel, isNewest, isOldest, type KernelSpec } from './kernels.js';
import { timesText } from './times.js';

/**
 * What each scenario runs: globs under the repository, a list for each process that runs them. An emulated
 * CPU takes five seconds for a process to begin. A file is in one scenario, that of the machine which shows
 * most of it: two memory nodes, a swap, or neither. `paf/live-shortage` looks at a machine without swap and
 * at one with it.
 */
export const SCENARIOS: Readonly<Record<Scenario, readonly (readonly string[])[]>> = {
  plain: [
    [
      // Without those that look at no kernel.
      'dist/core/bpf/{libbpf,ring.flood}*.test.js',
      'dist/core/kernel/{kernel-btf,loader.live,running-kernel}.test.js',
      'dist/core/memory/!(zones)*.live.test.js',
      'dist/core/{identity,symbolize}/*.live.test.js',
      'dist/core/symbolize/sandbox*.test.js',
      'dist/test/fakes/pressure.live.test.js',
    ],
    ['dist/test/conformance/choices.live.test.js', 'dist/test/vm/guest/*.test.js'],
    ['dist/plugins/paf/live-!(orders)*.test.js', 'dist/plugins/pr/live-{limits,room}.test.js'],
    ['dist/plugins/procstat/live-*.test.js'],
  ],
  memleak: [
    // Without `live-faults`, which takes minutes where each probe is attached by itself, on an emulated CPU.
    [
      'dist/plugins/memleak/live-!(faults|kernel)*.test.js',
      'dist/plugins/memleak/user/live*.test.js',
    ],
    ['dist/plugins/memleak/live-kernel*.test.js', 'dist/plugins/memleak/kernel/live*.test.js'],
  ],
  swap: [
    // By themselves, and first, those that compare every page.
    ['dist/plugins/procstat/live.test.js'],
    ['dist/plugins/paf/live-shortage.test.js'],
    ...['', '-fields', '-global', '-strategies', '-wakeups'].map((which) => [
      `dist/plugins/pr/live${which}.test.js`,
    ]),
  ],
  numa: [
    [
      'dist/plugins/sysstat/live*.test.js',
      'dist/plugins/paf/live{,-orders}.test.js',
      'dist/core/memory/zones.live.test.js',
    ],
  ],
  // Of a run of the whole matrix it is a part of `plain`, on the oldest and the newest.
  smoke: [['dist/test/vm/guest/smoke.test.js']],
};

/**
 * What is ours and not the kernel's: limits, filters, reloads, state, sampling. It is the same code on each
 * kernel, and runs on this machine's; `--files` asks for it on another.
 */
const OURS = [
  'dist/core/bpf/libbpf.denied.live.test.js',
  'dist/core/symbolize/sandbox*.test.js',
  'dist/plugins/*/live-{filters,reload,state,sampling,attempts,namespace,build-id,idle}.test.js',
  'dist/plugins/paf/live-limits.test.js',
  'dist/plugins/memleak/live-kernel-growth.test.js',
  'dist/plugins/memleak/user/live-{limits,sampling}.test.js',
];

/**
 * What the oldest kernel is put to for all: it offers our code the least (its walks, its libbpf calls), or
 * the claim needs a load and not a kernel, as that of stress. This machine's kernel is put to it as well.
 */
const OF_OLDEST = [
  'dist/**/*.stress.test.js',
  'dist/core/bpf/*.test.js',
  'dist/test/vm/guest/agent.test.js',
  'dist/plugins/pr/live-{limits,room}.test.js',
  'dist/plugins/memleak/live-kernel-{tables,walks}.test.js',
  'dist/plugins/memleak/user/live-{happenings,walks}.test.js',
];

/**
 * What the oldest and the newest are put to: what `npm test` boots them for and the whole matrix has of all
 * in parts, and on the plain machine what all are put to with a swap.
 */
const OF_BOTH_ENDS: Partial<Record<Scenario, readonly string[]>> = {
  plain: ['dist/test/vm/guest/smoke.test.js', 'dist/plugins/paf/live-shortage.test.js'],
};

/**
 * Emulated CPUs wait for one another: a guest with one does the same in two thirds of the time. Not where
 * counters by CPU are compared, and not where each event of a host under pressure is counted: on one CPU a
 * program that is preempted misses more.
 */
const WITH_TWO_CPUS: readonly Scenario[] = ['swap', 'numa', 'smoke'];

/** Memory that has been short leaves swap full, and the files of the guest, which are in memory, in it. */
const BETWEEN: Partial<Record<Scenario, readonly string[]>> = {
  swap: ['swapoff /dev/zram0; swapon /dev/zram0'],
};

export interface Job {
  readonly kernel: KernelSpec;
  readonly scenario: Scenario;
  /** Test files by run: the test runner sorts what it is given, so an order is one of runs. */
  readonly runs: readonly (readonly string[])[];
  /** A shell command in place of test files. */
  readonly command?: string;
}

export interface MatrixOptions {
  readonly print: (text: string) => void;
  readonly onTest: (line: TestLine) => void;
}

/** The longest takes half of it on two quiet CPUs. */
const TIMEOUT_MS = 16 * 60 * 1000;
const LAST_LINES = 40;

/** Whether the scenario puts the kernel to the file. */
export function isPutTo(kernel: KernelSpec, file: string, scenario: Scenario): boolean {
  const isOf = (globs: readonly string[]) => globs.some((glob) => matchesGlob(file, glob));
  if (isOf(OURS)) return false;
  if (isOf(OF_OLDEST)) return isOldest(kernel);
  if (!isOf(OF_BOTH_ENDS[scenario] ?? [])) return true;
  return isOldest(kernel) || isNewest(kernel);
}

/** Files by run, in their order: what others leave of a guest matters to some. */
export function expand(runs: readonly (readonly string[])[]): string[][] {
  const seen = new Set<string>();
  const fresh = (file: string) => seen.size < seen.add(file).size;
  return runs
    .map((globs) =>
      globs
        .flatMap((glob) => globSync(glob, { cwd: ROOT }))
        .filter(fresh)
        .sort(),
    )
    .filter((files) => files.length > 0);
}

/** A guest keeps a CPU busy: it emulates one. Each takes its memory, and some beside it. */
function guestsAtOnce(): number {
  const byMemory = Math.floor(freemem() / (GUEST_MEMORY_MIB * 1.25 * 2 ** 20));
  return Math.max(1, Math.min(availableParallelism(), byMemory));
}

export async function runMatrix(jobs: readonly Job[], options: MatrixOptions): Promise<void> {
  const waiting = [...jobs];
  const worker = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      await runJob(job, options);
    }
  };
  const workers = Math.min(jobs.length, guestsAtOnce());
  await Promise.all(Array.from({ length: workers }, worker));
}

async function runJob(job: Job, { print, onTest }: MatrixOptions): Promise<void> {
  const title = `vm ${job.kernel.name} ${job.scenario}`;
  const began = Date.now();
  const seconds = () => `${((Date.now() - began) / 1000).toFixed(1)} s`;
  const own = (name: string, outcome: TestLine['outcome'], reason?: string) =>
    onTest({
      outcome,
      name: `${title} › ${name}`,
      file: '',
      ms: Date.now() - began,
      ...(reason === undefined ? {} : { reason }),
    });
  const lack = await lackOf(job.kernel, (text) => print(`${title}: ${text}`));
  if (lack !== undefined) return own('starts', process.env.CI ? 'failed' : 'skipped', lack);
  try {
    const kernel = await fetchKernel(job.kernel, () => undefined);
    let tests: TestLine[] = [];
    let times: FileLine[] = [];
    let words: string[] = [];
    const onLine = (line: string) => {
      if (line.startsWith(MARK)) {
        tests.push(JSON.parse(line.slice(MARK.length)) as TestLine);
        return;
      }
      if (line.startsWith(FILE_MARK)) {
        times.push(JSON.parse(line.slice(FILE_MARK.length)) as FileLine);
        return;
      }
      words.push(line);
      if (job.command !== undefined) print(`${title}: ${line}`);
    };
    const files = job.command === undefined ? job.runs.flat() : [];
    const guest = { kernel, scenario: job.scenario, files, plan: planOf(job), onLine };
    const boot = (cpus: number) => {
      tests = [];
      times = [];
      words = [];
      return runGuest({ ...guest, cpus, timeoutMs: TIMEOUT_MS });
    };
    const cpus = WITH_TWO_CPUS.includes(job.scenario) ? kernel.spec.cpus : 1;
    let result = await boot(cpus);
    // TCG sometimes fails a boot, and two of its CPUs sometimes break a guest that is sound: what
    // breaks with one as well is broken.
    if (!result.started) {
      print(`${title}: did not boot, trying once more`);
      result = await boot(cpus);
    } else if (cpus > 1 && !result.timedOut && (result.splats.length > 0 || !result.ended)) {
      print(`${title}: broke with ${cpus} CPUs, trying with one:\n${brokenBy(result)}`);
      result = await boot(1);
    }
    for (const test of tests) onTest({ ...test, name: `${title} › ${test.name}` });
    const reason = failureOf(job, result, tests.at(-1)?.name, words);
    own(`boots, runs to its end, no kernel splat (${kernel.release})`, ...verdict(reason));
    print(`${title}: ${kernel.release}, ${seconds()}; ${timesText(result, times)}`);
  } catch (error) {
    own('starts', 'failed', error instanceof Error ? error.message : String(error));
  }
}

/** What this machine lacks to boot the kernel. */
async function lackOf(
  spec: KernelSpec,
  progress: (text: string) => void,
): Promise<string | undefined> {
  if (process.arch !== 'x64') return 'the guests are x86_64, and emulating them here is too slow';
  try {
    command(QEMU, ['--version']);
    await fetchKernel(spec, progress);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const brokenBy = ({ splats, console }: GuestResult): string =>
  (splats.length > 0 ? splats : console.trim().split('\n').slice(-LAST_LINES)).join('\n');

const verdict = (reason: string | undefined): [TestLine['outcome'], string?] =>
  reason === undefined ? ['passed'] : ['failed', reason];

/** What a failed test left running is not waited for: the failure is told by itself. */
const runOf = (files: readonly string[]): string =>
  'node --import=/app/dist/test/guard/guard.js --test --test-isolation=none --test-force-exit --test-reporter=/app/dist/test/reporter.js ' +
  `--test-reporter-destination=stdout ${files.join(' ')}`;

const planOf = (job: Job): string =>
  [
    `export MEM_WATCHER_VM=${job.kernel.name} MEM_WATCHER_VM_SCENARIO=${job.scenario}`,
    'exit=0',
    ...(job.command === undefined ? job.runs.map(runOf) : [`( ${job.command} )`])
      .map((step) => `${step} || exit=$?`)
      .flatMap((step, index) => (index > 0 ? [...(BETWEEN[job.scenario] ?? []), step] : [step])),
    'echo "@@exit $exit"',
    '',
  ].join('\n');

/** Why the guest as a whole failed, with its last words. */
function failureOf(
  job: Job,
  result: GuestResult,
  lastTest: string | undefined,
  words: readonly string[],
): string | undefined {
  const last = (lines: readonly string[]) => lines.slice(-LAST_LINES).join('\n');
  const console = () => last(result.console.trim().split('\n'));
  if (result.splats.length > 0) {
    return `the kernel complained:\n${result.splats.join('\n')}\n${console()}`;
  }
  if (!result.started) return `the guest did not boot; its last lines:\n${console()}`;
  if (result.timedOut || !result.ended) {
    const how = result.timedOut ? `did not end in ${TIMEOUT_MS / 60_000} min` : 'died';
    const after = lastTest === undefined ? 'before any test' : `after ${lastTest}`;
    return `the guest ${how}, ${after}; last words:\n${last(words)}\nlast lines of its kernel:\n${console()}`;
  }
  const exit = words.find((line) => line.startsWith('@@exit '))?.slice('@@exit '.length);
  // 1 is a failed test, which is reported on its own.
  const fine = exit === '0' || (exit === '1' && job.command === undefined);
  return fine ? undefined : `exit code ${exit}:\n${last(words)}`;
}
