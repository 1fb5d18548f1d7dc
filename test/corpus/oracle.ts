/**
 * LeakSanitizer as the oracle of the corpus: preloaded into the very programs that the agent
 * watches, while they run through their ticks without a pause. At each of MOMENTS it says what is
 * outstanding, by source line, in one of two ways: what no pointer leads to any more (`lost`), or,
 * when it is told to take nothing for a root, everything (`all`).
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { binary } from './build.js';
import type { CorpusCase, Mark } from './manifest.js';

export const MOMENTS = 12;
const SECONDS = 20;
/** Unwinds by the debug information: libc and libstdc++ keep no frame pointers. */
const ALLOCATIONS = 'fast_unwind_on_malloc=0:quarantine_size_mb=1:new_delete_type_mismatch=0';
const NO_ROOTS = 'use_globals=0:use_stacks=0:use_registers=0:use_tls=0';

/** Bytes outstanding at each moment by `file:line`: the innermost marked frame, or else of ours. */
export type Sites = ReadonlyMap<string, readonly number[]>;

export interface Outstanding {
  readonly lost: Sites;
  readonly all: Sites;
}

export const siteOf = ({ file, line }: Pick<Mark, 'file' | 'line'>): string => `${file}:${line}`;

/** A wrapper's own line is not where it leaks. */
export const isSite = ({ mark }: Mark): boolean => mark !== 'DIRECT';

/**
 * Where the compiler keeps it; undefined where it has none. AddressSanitizer carries it as well,
 * and unlike it alone is ready before what Rust does first.
 */
export function leakSanitizer(): string | undefined {
  const { stdout } = spawnSync('cc', ['-print-file-name=libasan.so'], { encoding: 'utf8' });
  const path = stdout?.trim() ?? '';
  return path.startsWith('/') && existsSync(path) ? path : undefined;
}

export async function askOracle(corpusCase: CorpusCase, library: string): Promise<Outstanding> {
  const [lost, all] = await Promise.all([
    sitesOf(corpusCase, library, ''),
    sitesOf(corpusCase, library, NO_ROOTS),
  ]);
  return { lost, all };
}

async function sitesOf({ program, options, name }: CorpusCase, library: string, roots: string) {
  const pace = ['fast=1', `moments=${MOMENTS}`, `seconds=${SECONDS}`];
  const child = spawn(binary(program.name, 'O0'), [...pace, ...options], {
    env: {
      ...process.env,
      LD_PRELOAD: library,
      ASAN_OPTIONS: ALLOCATIONS,
      LSAN_OPTIONS: `exitcode=0:${roots}`,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said: Buffer[] = [];
  child.stderr.on('data', (data: Buffer) => said.push(data));
  const [code, signal] = await once(child, 'close');
  const text = Buffer.concat(said).toString();
  if (code !== 0) throw new Error(`${name} ended by ${signal ?? code}:\n${text.slice(-2000)}`);
  return parseMoments(text, program.marks);
}

/** What it prints: after each `@@moment N`, a paragraph a stack. */
export function parseMoments(text: string, marks: readonly Mark[]): Sites {
  const marked = new Set(marks.filter(isSite).map(siteOf));
  const sites = new Map<string, number[]>();
  const parts = text.split(/^@@moment \d+\n/m).slice(1, MOMENTS + 1);
  if (parts.length !== MOMENTS) throw new Error(`${parts.length} of ${MOMENTS} moments`);
  parts.forEach((part, moment) => {
    // What it says when the program ends comes after the last moment's.
    const report = part.split(/^SUMMARY: /m)[0] ?? '';
    for (const [, bytes, stack = ''] of report.matchAll(LEAK)) {
      const frames = [...stack.matchAll(FRAME)].map(
        ([, file = '', line]) => `${basename(file)}:${line}`,
      );
      const site = frames.find((frame) => marked.has(frame)) ?? frames[0] ?? 'elsewhere';
      const held = sites.get(site) ?? Array<number>(MOMENTS).fill(0);
      held[moment] = (held[moment] ?? 0) + Number(bytes);
      sites.set(site, held);
    }
  });
  return sites;
}

const LEAK = /leak of (\d+) byte\(s\) in \d+ object\(s\) allocated from:\n((?: {4}#.*\n)+)/g;
/** Frames of the corpus' own sources alone. */
const FRAME = / ((?:\S*\/)?(?:leaks|quiet)\/[^:\s/]+\.(?:c|cpp|rs)):(\d+)/g;

/** Grows from the middle third to the last: its floor is above what was its ceiling. */
export function grows(bytes: readonly number[]): boolean {
  const third = MOMENTS / 3;
  const ceiling = Math.max(...bytes.slice(third, 2 * third));
  return Math.min(...bytes.slice(2 * third)) > ceiling * 1.05;
}
