/**
 * What each program of the corpus claims of itself, read from its own source: a header in YAML, and
 * marks at the lines where it leaks. So a claim cannot drift from its line.
 *
 *   LEAK     the call on this line allocates what is leaked
 *   DIRECT   where a wrapper calls the allocator on behalf of a LEAK line
 *   MAY      grows, but in steps too rare to be held against anybody: no miss and no false alarm
 */
import { globSync, readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { ROOT } from '../vm/initramfs.js';

const HERE = join(ROOT, 'test/corpus');
const MARKS = ['LEAK', 'DIRECT', 'MAY'] as const;

const headerSchema = z.strictObject({
  what: z.string(),
  kind: z.string(),
  /** Options of each run, as they stand on the command line. */
  runs: z.array(z.string()).default(['']),
  /**
   * How LeakSanitizer shows it: `lost` (no pointer to it is left), `growth` (it can be reached, but
   * more and more is outstanding), `none` (it does not see this kind of memory).
   */
  oracle: z.enum(['lost', 'growth', 'none']).default('lost'),
  /** The function of a library that calls the allocator for the program. */
  through: z.string().optional(),
  /** What must be watched beyond the defaults. */
  needs: z.enum(['mmap']).optional(),
  /** The source of a library that the program opens. */
  library: z.string().optional(),
});

export interface Mark {
  readonly mark: (typeof MARKS)[number];
  /** Without its directory. */
  readonly file: string;
  readonly line: number;
}

export type Header = Readonly<z.infer<typeof headerSchema>>;

export interface CorpusProgram extends Header {
  /** `leaks/steady`: where it is under the sources and under each build. */
  readonly name: string;
  readonly language: 'c' | 'cpp' | 'rs';
  readonly leaks: boolean;
  readonly marks: readonly Mark[];
}

/** A program with the options of one of its runs. */
export interface CorpusCase {
  readonly name: string;
  readonly program: CorpusProgram;
  readonly options: readonly string[];
}

export const readCorpus = (): readonly CorpusProgram[] =>
  globSync('{leaks,quiet}/*.{c,cpp,rs}', { cwd: HERE })
    .filter((file) => !/_part\./.test(file))
    .sort()
    .map(readProgram);

function readProgram(file: string): CorpusProgram {
  const text = readFileSync(join(HERE, file), 'utf8');
  const [, lines] = /^\/\* corpus\n((?: \* .*\n)+) \*\//.exec(text) ?? [];
  if (lines === undefined) throw new Error(`${file} has no header`);
  const header = headerSchema.parse(parse(lines.replaceAll(/^ \* /gm, '')));
  const language = extname(file).slice(1) as CorpusProgram['language'];
  const name = file.slice(0, -language.length - 1);
  const marks = marksOf(file, text);
  if (header.library !== undefined) {
    const library = join('leaks', header.library);
    marks.push(...marksOf(library, readFileSync(join(HERE, library), 'utf8')));
  }
  const leaks = name.startsWith('leaks/');
  if (leaks !== marks.some(({ mark }) => mark === 'LEAK')) {
    throw new Error(`${file}: what leaks has a LEAK line, and nothing else has`);
  }
  return { ...header, name, language, leaks, marks };
}

const marksOf = (file: string, text: string): Mark[] =>
  text.split('\n').flatMap((content, index) => {
    const mark = MARKS.find((name) => new RegExp(`(/\\* ${name} \\*/|// ${name})$`).test(content));
    return mark === undefined ? [] : [{ mark, file: basename(file), line: index + 1 }];
  });

export const casesOf = (programs: readonly CorpusProgram[]): CorpusCase[] =>
  programs.flatMap((program) =>
    program.runs.map((run) => ({
      name: `${program.name} ${run}`.trimEnd(),
      program,
      options: run.split(' ').filter((option) => option !== ''),
    })),
  );
