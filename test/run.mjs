/**
 * The test runner's front: the phases that are asked for, and one count over all of them, every
 * skip with its reason.
 *
 *   node test/run.mjs [--all] [--only PHASE]… [--list] [FILE…]
 *
 *   checks  lint, types, generated files
 *   unit    all tests on this machine but for stress, by file: first those that need no kernel, as
 *           many at a time as there are CPUs; then the live ones that look only at processes and maps
 *           of their own, two at a time, because they mostly wait for the kernel to attach and detach;
 *           last those that look at the whole host, one at a time (kinds.mjs lists them)
 *   smoke   the oldest and the newest kernel, each booted once
 *   stress  *.stress.test.ts: storms, a million allocations, the corpus of leaks
 *   vm      the whole kernel matrix
 *   e2e     a real Collector, Jaeger and containers
 *   real    servers and runtimes of Debian under load, sound and with a leak
 *
 * The default is unit and smoke; --all is unit, stress and vm. What a run left out is printed, by
 * --list without a run. The last line is always `N passed, N failed, N skipped`.
 */
import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isAlone, isLive, isStress } from './kinds.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const MARK = '@@test ';
const FILE_MARK = '@@file ';
const TIMEOUT_MS = 15 * 60 * 1000;
const REASON_LINES = 12;
const SLOWEST = 10;

const isElsewhere = (file) => /^dist\/test\/(e2e|real|vm\/guest)\/|^dist\/package\//.test(file);

const ONE_BY_ONE = ['--test-concurrency=1'];
const TWO_AT_A_TIME = ['--test-concurrency=2'];
const IN_PARALLEL = [`--test-concurrency=${availableParallelism()}`];

const PHASES = {
  checks: (output) => checks(output),
  unit: (output, files) => (files ? nodeTest(output, files) : unit(output)),
  smoke: (output) => matrix(output, '--scenario', 'smoke', ...SMOKE_KERNELS),
  stress: (output) => nodeTest(output, local().filter(isStress), ONE_BY_ONE),
  vm: (output) => matrix(output),
  e2e: (output) => nodeTest(output, glob('dist/test/e2e/*.test.js'), ONE_BY_ONE),
  real: (output) => nodeTest(output, glob('dist/test/real/*.test.js'), ONE_BY_ONE),
};
const SMOKE_KERNELS = ['5.10', 'newest'];
const DEFAULT = ['unit', 'smoke'];
const ALL = ['unit', 'stress', 'vm'];
/** What another phase runs as well. */
const COVERED_BY = { smoke: 'vm' };

async function main() {
  const began = Date.now();
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      all: { type: 'boolean' },
      list: { type: 'boolean' },
      only: { type: 'string', multiple: true },
    },
  });
  const usual = values.all ? ALL : positionals.length > 0 ? ['unit'] : DEFAULT;
  const asked = values.only ?? usual;
  const unknown = asked.filter((name) => !(name in PHASES));
  if (unknown.length > 0) throw new Error(`no phase ${unknown}; there are ${Object.keys(PHASES)}`);
  if (values.list) {
    print(`run: ${asked.join(', ')}`);
    sayLeftOut(asked);
    return 0;
  }
  const files = positionals.length > 0 ? positionals : undefined;
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-test-'));
  try {
    const lines = [];
    for (const name of asked) lines.push(...(await phase(name, join(dir, name), files)));
    if (positionals.length === 0) sayLeftOut(asked);
    return summarise(lines, began);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Runs one phase; one that ends badly without a failed test is a failure of its own. */
async function phase(name, output, files) {
  heading(name);
  const began = Date.now();
  writeFileSync(output, '');
  const code = await PHASES[name](output, files);
  const lines = marked(output, MARK);
  if (code !== 0 && !lines.some((line) => line.outcome === 'failed')) {
    lines.push({ outcome: 'failed', name: `${name} ends with exit code ${code}`, file: '' });
  }
  if (lines.length === 0) lines.push({ outcome: 'failed', name: `${name} ran no test`, file: '' });
  print(`${name}: ${secondsSince(began)} s${slowestFiles(marked(output, FILE_MARK))}`);
  return lines;
}

/** The objects that the reporter wrote behind this mark. */
const marked = (output, mark) =>
  readFileSync(output, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(mark))
    .map((line) => JSON.parse(line.slice(mark.length)));

/** Live tests after all others, and last those that any other test would disturb. */
async function unit(output) {
  const files = local().filter((file) => !isStress(file));
  const parts = [
    [files.filter((file) => !isLive(file)), IN_PARALLEL],
    [files.filter((file) => isLive(file) && !isAlone(file)), TWO_AT_A_TIME],
    [files.filter(isAlone), ONE_BY_ONE],
  ];
  const codes = [];
  let text = '';
  for (const [some, flags] of parts) {
    writeFileSync(output, '');
    codes.push(await nodeTest(output, some, flags));
    text += readFileSync(output, 'utf8');
  }
  writeFileSync(output, text);
  return codes.find((code) => code !== 0) ?? 0;
}

const matrix = (output, ...args) =>
  node(['dist/test/vm/main.js', '--quiet', '--output', output, ...args]);

function nodeTest(output, files, more = []) {
  if (files.length === 0) return 0;
  return node([
    '--enable-source-maps',
    '--import=./dist/test/guard/guard.js',
    '--test',
    `--test-timeout=${TIMEOUT_MS}`,
    ...more,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    '--test-reporter=./dist/test/reporter.js',
    `--test-reporter-destination=${output}`,
    ...files,
  ]);
}

async function checks(output) {
  const all = {
    'lint and format': ['node_modules/@biomejs/biome/bin/biome', 'check', '.'],
    types: ['node_modules/typescript/bin/tsc', '-p', '.', '--noEmit'],
    'generated files are current': ['dist/core/gen/main.js', '--check'],
  };
  const lines = [];
  for (const [name, args] of Object.entries(all)) {
    const code = await node(args);
    const outcome = code === 0 ? 'passed' : 'failed';
    print(`${outcome}: ${name}`);
    lines.push(`${MARK}${JSON.stringify({ outcome, name: `check › ${name}`, file: '' })}\n`);
  }
  writeFileSync(output, lines.join(''));
  return 0;
}

/** Nothing is left out unseen. */
function sayLeftOut(asked) {
  const left = Object.keys(PHASES).filter(
    (name) => !asked.includes(name) && !asked.includes(COVERED_BY[name]),
  );
  if (left.length === 0) return;
  const stress = left.includes('stress')
    ? ` (stress: ${local().filter(isStress).map(nameOf).join(', ')})`
    : '';
  print(`\nnot run: ${left.join(', ')}${stress}`);
  print('  npm test -- --only PHASE runs one of them, .ci/run all');
}

const slowestFirst = (lines) => lines.toSorted((a, b) => b.ms - a.ms).slice(0, SLOWEST);

function slowestFiles(files) {
  if (files.length === 0) return '';
  const told = slowestFirst(files).map(({ file, ms }) => `${nameOf(file)} ${seconds(ms)}`);
  return `; slowest files: ${told.join(', ')}`;
}

function saySlowest(lines) {
  // A line without a file is of a guest or a phase as a whole.
  const slowest = slowestFirst(lines.filter(({ file, ms }) => file && ms !== undefined));
  if (slowest.length === 0) return;
  heading(`slowest ${slowest.length} tests`);
  for (const { name, ms, file } of slowest) print(`  ${seconds(ms)}  ${name} (${nameOf(file)})`);
}

function summarise(lines, began) {
  saySlowest(lines);
  const of = (outcome) => lines.filter((line) => line.outcome === outcome);
  const where = (line) => (line.file ? ` (${relative(ROOT, line.file)})` : '');
  const told = [
    ['skipped', (line) => `${line.name}${where(line)}: ${line.reason}`],
    ['failed', (line) => `${line.name}${where(line)}${why(line)}`],
  ];
  for (const [outcome, text] of told) {
    if (of(outcome).length === 0) continue;
    heading(outcome);
    for (const line of of(outcome)) print(`  ${text(line)}`);
  }
  const counts = ['passed', 'failed', 'skipped'].map((name) => `${of(name).length} ${name}`);
  print(`\nwhole run: ${secondsSince(began)} s\n${counts.join(', ')}`);
  return of('failed').length > 0 ? 1 : 0;
}

/** Runs the pinned Node here; gives the exit code. */
function node(args) {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: 'inherit',
    // A runner inside a runner would report to the outer one.
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  });
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', (code, signal) => done(code ?? `signal ${signal}`));
  });
}

/** Enough of it to begin from, where only the end of the output was kept. */
const why = ({ reason }) =>
  (reason?.split('\n') ?? [])
    .slice(0, REASON_LINES)
    .map((text) => `\n      ${text}`)
    .join('');

const glob = (pattern, without = () => false) =>
  globSync(pattern, { cwd: ROOT })
    .filter((file) => !without(file))
    .sort();

const local = () => glob('dist/**/*.test.js', isElsewhere);
const nameOf = (file) => relative(ROOT, resolve(ROOT, file)).replace(/^dist\/|\.test\.js$/g, '');

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const secondsSince = (began) => ((Date.now() - began) / 1000).toFixed(0);
const print = (text) => process.stdout.write(`${text}\n`);
const heading = (text) => print(`\n── ${text} ${'─'.repeat(Math.max(0, 72 - text.length))}`);

process.exitCode = await main();
