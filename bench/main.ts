/**
 * `npm run bench [-- NAME… --json]`: every bench, or those named, with the machine's facts, since
 * a figure without its machine says nothing.
 */
import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Bench, BenchRow } from './bench.js';

interface Facts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly commit: string;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean' } },
  });
  const files = globSync('*.bench.js', { cwd: import.meta.dirname }).sort();
  const names = files.map((file) => basename(file, '.bench.js'));
  const unknown = positionals.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    process.stderr.write(`no bench ${unknown.join(', ')}; there are ${names.join(', ')}\n`);
    return 2;
  }
  const chosen = names.filter((name) => positionals.length === 0 || positionals.includes(name));
  const facts = machineFacts();
  print(values.json ? JSON.stringify(facts) : factsText(facts));
  let missed = 0;
  for (const name of chosen) {
    const bench = (await import(join(import.meta.dirname, `${name}.bench.js`))) as Bench;
    if (!values.json) print(`\n${bench.title}`);
    for (const row of await rowsOf(name, bench)) {
      print(values.json ? JSON.stringify({ bench: name, ...row }) : rowText(row));
      if (row.met === false) missed++;
    }
  }
  if (!values.json) print(`\n${missed === 0 ? 'every target met' : `${missed} targets missed`}`);
  return 0;
}

/** A bench that cannot run here says why, and the others go on. */
async function rowsOf(name: string, bench: Bench): Promise<BenchRow[]> {
  try {
    return await bench.run();
  } catch (error) {
    process.stderr.write(`${name}: ${error instanceof Error ? error.message : error}\n`);
    return [];
  }
}

function machineFacts(): Facts {
  const git = (...args: string[]) => {
    try {
      return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    } catch {
      return '';
    }
  };
  const dirty = git('status', '--porcelain') === '' ? '' : ' and changes';
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    commit: (git('rev-parse', '--short', 'HEAD').trim() || 'unknown') + dirty,
  };
}

const factsText = ({ cpu, cores, memoryGiB, kernel, node, commit }: Facts): string =>
  `${cpu}, ${cores} cores, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}, commit ${commit}`;

function rowText({ name, value, unit, target, met, note }: BenchRow): string {
  const figure = `${number(value)} ${unit}`.padStart(18);
  const judged = target === undefined ? '' : `${target.padStart(9)} ${met ? 'met' : 'MISSED'}`;
  return `  ${name.padEnd(52)}${figure}  ${judged}${note ? `\n      ${note}` : ''}`.trimEnd();
}

function number(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toPrecision(3);
}

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

process.exitCode = await main();
