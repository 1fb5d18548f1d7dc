/** Runs built test files on kernels of the matrix and says how each test went. */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { command } from '../command.js';
import { MARK, type TestLine } from '../reporter.js';
import { type GuestResult, QEMU, runGuest, type Scenario } from './guest.js';
import { ROOT } from './initramfs.js';
import { fetchKernel, type KernelSpec } from './kernels.js';

/** What each scenario runs, as globs under the repository. */
export const SCENARIOS: Readonly<Record<Scenario, readonly string[]>> = {
  default: ['dist/plugins/!(paf|pr|memleak)/live*.test.js', 'dist/test/fakes/pressure.test.js'],
  paf: ['dist/plugins/paf/live*.test.js'],
  pr: ['dist/plugins/pr/live*.test.js'],
  memleak: [
    'dist/plugins/memleak/live-!(kernel*).test.js',
    'dist/plugins/memleak/user/live*.test.js',
    'dist/core/symbolize/sandbox*.test.js',
  ],
  kernel: [
    'dist/plugins/memleak/live-kernel*.test.js',
    'dist/plugins/memleak/kernel/live*.test.js',
  ],
  core: [
    'dist/core/bpf/*.test.js',
    'dist/core/kernel/*.test.js',
    'dist/core/{identity,memory,symbolize}/*.live.test.js',
    'dist/test/conformance/choices.test.js',
    'dist/test/vm/guest/*.test.js',
  ],
  numa: [
    'dist/plugins/sysstat/live*.test.js',
    'dist/plugins/paf/live{,-orders}.test.js',
    'dist/core/memory/zones.live.test.js',
  ],
  // By themselves, and first, those that compare every page.
  swap: [
    'dist/plugins/{sysstat,procstat}/live.test.js',
    'dist/plugins/paf/live-shortage.test.js',
    ...['', '-fields', '-global', '-strategies', '-wakeups'].map(
      (which) => `dist/plugins/pr/live${which}.test.js`,
    ),
  ],
};

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

/** The longest takes 7 min on two quiet CPUs. */
const TIMEOUT_MS = 16 * 60 * 1000;
const LAST_LINES = 40;

/** One run a glob, in their order: what others leave of a guest matters to some. */
export function expand(globs: readonly string[]): string[][] {
  const seen = new Set<string>();
  const fresh = (file: string) => seen.size < seen.add(file).size;
  return globs
    .map((glob) => globSync(glob, { cwd: ROOT }).filter(fresh).sort())
    .filter((files) => files.length > 0);
}

/** As many guests at a time as the machine has CPUs: one CPU of a guest is busy most of the time. */
export async function runMatrix(jobs: readonly Job[], options: MatrixOptions): Promise<void> {
  const waiting = [...jobs];
  const worker = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      await runJob(job, options);
    }
  };
  const workers = Math.min(jobs.length, Math.max(1, availableParallelism()), 4);
  await Promise.all(Array.from({ length: workers }, worker));
}

async function runJob(job: Job, { print, onTest }: MatrixOptions): Promise<void> {
  const title = `vm ${job.kernel.name}${job.scenario === 'default' ? '' : ` ${job.scenario}`}`;
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
    let words: string[] = [];
    const onLine = (line: string) => {
      if (line.startsWith(MARK)) {
        tests.push(JSON.parse(line.slice(MARK.length)) as TestLine);
        return;
      }
      words.push(line);
      if (job.command !== undefined) print(`${title}: ${line}`);
    };
    const guest = { kernel, scenario: job.scenario, plan: planOf(job), onLine };
    const boot = (cpus: number) => {
      tests = [];
      words = [];
      return runGuest({ ...guest, cpus, timeoutMs: TIMEOUT_MS });
    };
    let result = await boot(kernel.spec.cpus);
    // TCG sometimes fails a boot, and two of its CPUs sometimes break a guest that is sound: what
    // breaks with one as well is broken.
    if (!result.started) {
      print(`${title}: did not boot, trying once more`);
      result = await boot(kernel.spec.cpus);
    } else if (kernel.spec.cpus > 1 && (result.splats.length > 0 || !result.ended)) {
      print(`${title}: broke with ${kernel.spec.cpus} CPUs, trying with one:\n${brokenBy(result)}`);
      result = await boot(1);
    }
    for (const test of tests) onTest({ ...test, name: `${title} › ${test.name}` });
    const reason = failureOf(job, result, words);
    own(`boots, runs to its end, no kernel splat (${kernel.release})`, ...verdict(reason));
    print(`${title}: ${kernel.release}, ${seconds()}`);
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

const runOf = (files: readonly string[]): string =>
  'node --test --test-concurrency=1 --test-reporter=/app/dist/test/reporter.js ' +
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
function failureOf(job: Job, result: GuestResult, words: readonly string[]): string | undefined {
  const last = (lines: readonly string[]) => lines.slice(-LAST_LINES).join('\n');
  const console = () => last(result.console.trim().split('\n'));
  if (result.splats.length > 0) {
    return `the kernel complained:\n${result.splats.join('\n')}\n${console()}`;
  }
  if (!result.started) return `the guest did not boot; its last lines:\n${console()}`;
  if (result.timedOut || !result.ended) {
    const how = result.timedOut ? `did not end in ${TIMEOUT_MS / 60_000} min` : 'died';
    return `the guest ${how}; last words:\n${last(words)}\nlast lines of its kernel:\n${console()}`;
  }
  const exit = words.find((line) => line.startsWith('@@exit '))?.slice('@@exit '.length);
  // 1 is a failed test, which is reported on its own.
  const fine = exit === '0' || (exit === '1' && job.command === undefined);
  return fine ? undefined : `exit code ${exit}:\n${last(words)}`;
}
