import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MemWatcherError } from '../errors.js';

const FILE = /^(\d{4})-[a-z0-9-]+\.md$/;

/** The index of a folder of decisions: number and title of each, by number. */
export function renewDecisions(readme: string, decisions: readonly Decision[]): string {
  const list = decisions.map(({ number, title, file }) => `- [${number}](${file}) ${title}`);
  return readme.replace(
    /(<!-- generated:decisions -->\n)[\s\S]*?(<!-- \/generated -->)/,
    (_, open: string, close: string) => `${open}${list.join('\n')}\n${close}`,
  );
}

export interface Decision {
  readonly number: string;
  readonly title: string;
  readonly file: string;
}

/** Refuses a file that does not begin with its number, and two of one number. */
export function readDecisions(folder: string): Decision[] {
  const decisions = readdirSync(folder)
    .filter((file) => FILE.test(file))
    .sort()
    .map((file) => readDecision(folder, file));
  const twice = decisions.find(({ number }, index) => decisions[index + 1]?.number === number);
  if (twice) throw invalid(`two decisions have the number ${twice.number}`, 'give one the next');
  return decisions;
}

function readDecision(folder: string, file: string): Decision {
  const number = file.slice(0, 4);
  const [first = ''] = readFileSync(join(folder, file), 'utf8').split('\n', 1);
  const [, stated, title] = /^# (\d{4}) (.+)$/.exec(first) ?? [];
  if (stated !== number || title === undefined) {
    throw invalid(`${file} begins with “${first}”`, `begin it with “# ${number} TITLE”`);
  }
  return { number, title, file };
}

const invalid = (message: string, hint: string) =>
  new MemWatcherError('INTERNAL', message, { hint });
