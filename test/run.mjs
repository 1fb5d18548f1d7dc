/**
 * The test runner's front: unit and live tests on this machine, then the kernel matrix, and what
 * else is asked for; one count over all of them, every skip with its reason.
 *
 *   node test/run.mjs [--only PHASE]… [FILE…]     phases: checks, unit, vm, e2e; default unit, vm
 *
 * The last line is always `N passed, N failed, N skipped`.
 */
import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = resolve(import.meta.dirname, '..');
const MARK = '@@test ';
const TIMEOUT_MS = 15 * 60 * 1000;
const REASON_LINES = 12;

const isElsewhere = (file) => /^dist\/test\/(e2e|vm\/guest)\/|^dist\/package\//.test(file);

const PHASES = {
  checks: (output) => checks(output),
  unit: (output, files) => nodeTest(output, files ?? glob('dist/**/*.test.js', isElsewhere)),
  vm: (output) => node(['dist/test/vm/main.js', '--quiet', '--output', output]),
  e2e: (output) => nodeTest(output, glob('dist/test/e2e/*.test.js'), ['--test-concurrency=1']),
};

async function main() {
  const began = Date.now();
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string', multiple: true } },
  });
  const asked = values.only ?? (positionals.length > 0 ? ['unit'] : ['unit', 'vm']);
  const unknown = asked.filter((name) => !(name in PHASES));
  if (unknown.length > 0) throw new Error(`no phase ${unknown}; there are ${Object.keys(PHASES)}`);
  const files = positionals.length > 0 ? positionals : undefined;
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-test-'));
  try {
    const lines = [];
    for (const name of asked) lines.push(...(await phase(name, join(dir, name), files)));
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
  const lines = readFileSync(output, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(MARK))
    .map((line) => JSON.parse(line.slice(MARK.length)));
  if (code !== 0 && !lines.some((line) => line.outcome === 'failed')) {
    lines.push({ outcome: 'failed', name: `${name} ends with exit code ${code}`, file: '' });
  }
  if (lines.length === 0) lines.push({ outcome: 'failed', name: `${name} ran no test`, file: '' });
  print(`${name}: ${secondsSince(began)} s`);
  return lines;
}

function nodeTest(output, files, more = []) {
  if (files.length === 0) return 0;
  return node([
    '--enable-source-maps',
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

function summarise(lines, began) {
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

const secondsSince = (began) => ((Date.now() - began) / 1000).toFixed(0);
const print = (text) => process.stdout.write(`${text}\n`);
const heading = (text) => print(`\n── ${text} ${'─'.repeat(Math.max(0, 72 - text.length))}`);

process.exitCode = await main();
