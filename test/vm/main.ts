/** `npm run test:vm [-- KERNEL…]`: the kernel matrix. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { command } from '../command.js';
import { MARK, type TestLine } from '../reporter.js';
import { runShell, type Scenario } from './guest.js';
import { ROOT } from './initramfs.js';
import { fetchKernel, KERNELS, type KernelSpec } from './kernels.js';
import { expand, isPutTo, type Job, runMatrix, SCENARIOS } from './matrix.js';

const USAGE = `usage: npm run test:vm [-- [KERNEL…] [OPTIONS]]
  KERNEL             ${KERNELS.map((kernel) => kernel.name).join(', ')}; default: all
  --files GLOB       built test files to run instead of the scenario's own; may be repeated
  --scenario NAME    ${Object.keys(SCENARIOS).join(', ')};
                     default: all but smoke, which plain runs as well
  --run COMMAND      a shell command in place of tests, with its output
  --shell            one kernel with a shell on this terminal
  --fetch            only fetch the kernels
  --list             the kernels, and what each scenario runs
  --output FILE      also one JSON line a test
  --quiet            without the counts at the end`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      files: { type: 'string', multiple: true },
      scenario: { type: 'string', multiple: true },
      run: { type: 'string' },
      shell: { type: 'boolean' },
      fetch: { type: 'boolean' },
      list: { type: 'boolean' },
      output: { type: 'string' },
      quiet: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return say(USAGE, 0);
  const kernels = KERNELS.filter(
    (kernel) => positionals.length === 0 || positionals.includes(kernel.name),
  );
  const unknown = positionals.filter((name) => !KERNELS.some((kernel) => kernel.name === name));
  if (unknown.length > 0) return say(`unknown kernel ${unknown.join(', ')}\n${USAGE}`, 2);
  const asked = values.scenario ?? (values.files || values.run ? ['plain'] : undefined);
  const scenarios = (Object.keys(SCENARIOS) as Scenario[]).filter(
    (name) => asked?.includes(name) ?? name !== 'smoke',
  );
  if (scenarios.length === 0) return say(`unknown scenario\n${USAGE}`, 2);
  if (values.list) return list();
  if (values.fetch) {
    for (const kernel of kernels) await fetchKernel(kernel, (text) => say(text, 0));
    return 0;
  }
  if (values.shell) {
    const [kernel] = kernels;
    if (kernel === undefined || kernels.length !== 1) return say('--shell takes one kernel', 2);
    await runShell(await fetchKernel(kernel, (text) => say(text, 0)), scenarios[0] ?? 'plain');
    return 0;
  }
  const jobs = scenarios
    .flatMap((scenario) => {
      const runs = expand(values.files?.map((glob) => [glob]) ?? SCENARIOS[scenario]);
      const command = values.run;
      return kernels.map(
        (kernel): Job => ({
          kernel,
          scenario,
          runs: values.files ? runs : runsOf(kernel, scenario, runs),
          ...(command === undefined ? {} : { command }),
        }),
      );
    })
    .filter((job) => job.command !== undefined || job.runs.length > 0);
  if (jobs.length === 0) return say('no built test file matches; is the build done?', 2);
  // Guests have no compiler: what their tests start is built here.
  command('make', ['-s', '-C', join(ROOT, 'test/fakes')]);
  return run(jobs, values);
}

const runsOf = (kernel: KernelSpec, scenario: Scenario, runs: readonly (readonly string[])[]) =>
  runs
    .map((files) => files.filter((file) => isPutTo(kernel, file, scenario)))
    .filter(({ length }) => length > 0);

interface RunOptions {
  readonly output?: string | undefined;
  readonly quiet?: boolean | undefined;
}

async function run(jobs: readonly Job[], { output, quiet }: RunOptions): Promise<number> {
  const tests: TestLine[] = [];
  const onTest = (test: TestLine) => {
    tests.push(test);
    const mark = { passed: '✔', failed: '✖', skipped: '﹣' }[test.outcome];
    say(
      `${mark} ${test.name} (${test.ms} ms)${test.reason ? `\n  ${indent(test.reason)}` : ''}`,
      0,
    );
  };
  await runMatrix(jobs, { print: (text) => say(text, 0), onTest });
  if (output !== undefined) {
    writeFileSync(output, tests.map((test) => `${MARK}${JSON.stringify(test)}\n`).join(''));
  }
  const count = (outcome: TestLine['outcome']) =>
    tests.filter((test) => test.outcome === outcome).length;
  if (!quiet) {
    say(`${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`, 0);
  }
  return count('failed') > 0 ? 1 : 0;
}

function list(): number {
  for (const kernel of KERNELS) say(`${kernel.name.padEnd(8)} Debian ${kernel.suite}`, 0);
  for (const scenario of Object.keys(SCENARIOS) as Scenario[]) {
    const runs = SCENARIOS[scenario];
    const lines = expand(runs)
      .flat()
      .map((file) => `${file}${whereOf(file, scenario)}`);
    say(`\n${scenario}:\n  ${lines.join('\n  ')}`, 0);
  }
  return 0;
}

/** Where not all kernels are put to it. */
function whereOf(file: string, scenario: Scenario): string {
  const names = KERNELS.filter((kernel) => isPutTo(kernel, file, scenario)).map(({ name }) => name);
  if (names.length === KERNELS.length) return '';
  return names.length === 0 ? '  (this machine alone)' : `  (only ${names.join(', ')})`;
}

const indent = (text: string): string => text.replaceAll('\n', '\n  ');

function say(text: string, code: number): number {
  (code === 0 ? process.stdout : process.stderr).write(`${text}\n`);
  return code;
}

process.exitCode = await main();
