/** The options of `mem-watcher leaks`, and what they come to. */
import { wholeNumber } from '../../../core/cli/filter-options.js';
import type { CommandOption } from '../../../core/cli/plugin-command.js';
import { parseDuration } from '../../../core/config/units.js';
import { MemWatcherError } from '../../../core/errors.js';
import { windowOfRun } from '../judge/options.js';
import { canRepeat, FORMATS, type Format } from './formats.js';
import { type ChosenTargets, chosenTargets, TARGET_OPTIONS } from './target-options.js';

export const OPTIONS: readonly CommandOption[] = [
  ...TARGET_OPTIONS,
  { flags: '--kernel', description: "the kernel's own allocations" },
  {
    flags: '-d, --duration <time>',
    description: 'how long to watch, for instance 60s (default: until Ctrl-C)',
  },
  {
    flags: '--window <time>',
    description: 'finest window of the verdict (default: a twelfth of --duration, 5s at most)',
  },
  {
    flags: '-i, --interval <time>',
    description: 'time between two reports of --live (default: 5s)',
  },
  {
    flags: '--older-than <time>',
    description: 'only stacks whose oldest outstanding allocation is so old',
  },
  {
    flags: '--top <count>',
    description: 'only the largest stacks (default: 10 of a table, else all)',
  },
  { flags: '-f, --format <format>', description: 'how to say it', choices: FORMATS },
  { flags: '-o, --output <file>', description: 'where to write it instead of stdout' },
  { flags: '--once', description: 'one report, at the end of --duration (default: 60s)' },
  { flags: '--live', description: 'a report every interval, and one at the end' },
  {
    flags: '--sampling <bytes>',
    description: 'record one allocation in so many bytes, or `full` for all',
  },
  {
    flags: '--scan',
    description:
      'at the end looks whether anything still points to what is held (default time: 10s)',
  },
  {
    flags: '--pause',
    description: 'as --scan, and holds the process still for that, a second at most: exact at once',
  },
  { flags: '--exit-code <code>', description: 'exit with it if a leak is confirmed (default: 0)' },
  {
    flags: '--strategy <name>',
    description: 'how to see; mem-watcher doctor says which this kernel can do',
  },
  { flags: '-c, --config <file>', description: 'configuration; what is given here goes before it' },
  { flags: '--btf <file>', description: 'BTF of a kernel that has none of its own' },
];

export interface Plan extends ChosenTargets {
  readonly kernel: boolean;
  /** ms; Infinity: until it is interrupted. */
  readonly duration: number;
  /** ms */
  readonly window: number;
  /** ms: between two looks. */
  readonly collect: number;
  /** ms: between two reports. */
  readonly report: number;
  /** Seconds. */
  readonly olderThan: number | undefined;
  readonly top: number | undefined;
  readonly format: Format;
  readonly output: string | undefined;
  /** undefined: as the terminal suggests. */
  readonly live: boolean | undefined;
  readonly sampling: string | undefined;
  /** At the end: not, as it runs, or while it stands still. */
  readonly closerLook: 'none' | 'running' | 'paused';
  readonly leakCode: number;
  readonly strategy: string | undefined;
  readonly config: string | undefined;
  readonly btf: string | undefined;
}

const DEFAULT_WINDOW = 5000;
const DEFAULT_REPORT = 5000;
const ONCE_DURATION = 60_000;
const LOOK_DURATION = 10_000;
const TABLE_TOP = 10;
/** Looks in a window: floors are found between them. */
const LOOKS = 5;
const [LEAST_LOOK, MOST_LOOK] = [100, 10_000];

/** USAGE errors for what cannot be meant. */
export function planOf(options: Readonly<Record<string, unknown>>): Plan {
  const text = (key: string): string | undefined =>
    options[key] === undefined ? undefined : String(options[key]);
  const format = (text('format') ?? 'table') as Format;
  const top = text('top');
  const looks = options.scan === true || options.pause === true;
  const duration =
    time('--duration', text('duration')) ??
    (looks ? LOOK_DURATION : endless(options.once === true));
  const window = time('--window', text('window')) ?? defaultWindow(duration);
  const report = time('--interval', text('interval')) ?? DEFAULT_REPORT;
  const olderThan = time('--older-than', text('olderThan'));
  if (options.once === true && options.live === true) {
    throw new MemWatcherError('USAGE', '--once and --live exclude each other');
  }
  if (options.live === true && !canRepeat(format)) {
    throw new MemWatcherError('USAGE', `--live: ${format} is one document, written at the end`);
  }
  return {
    ...chosenTargets(options),
    kernel: options.kernel === true,
    duration,
    window,
    collect: Math.min(
      MOST_LOOK,
      Math.max(LEAST_LOOK, Math.round(Math.min(report, window / LOOKS))),
    ),
    report,
    olderThan: olderThan === undefined ? undefined : olderThan / 1000,
    top: top === undefined ? undefined : wholeNumber('--top', top, 1),
    format,
    output: text('output'),
    live: options.live === true ? true : options.once === true ? false : undefined,
    sampling: text('sampling'),
    closerLook: options.pause === true ? 'paused' : looks ? 'running' : 'none',
    leakCode: exitCode(text('exitCode')),
    strategy: text('strategy'),
    config: text('config'),
    btf: text('btf'),
  };
}

/** Stacks that are shown: of a table few enough to be read. */
export const shownOf = ({ top, format }: Pick<Plan, 'top' | 'format'>): number | undefined =>
  top ?? (format === 'table' ? TABLE_TOP : undefined);

const endless = (once: boolean) => (once ? ONCE_DURATION : Number.POSITIVE_INFINITY);

/** A long run finds as soon as a short one: what is slower than the finest windows has coarser ones. */
const defaultWindow = (duration: number): number =>
  Number.isFinite(duration)
    ? Math.min(
        DEFAULT_WINDOW,
        Math.max(LEAST_LOOK, Math.round(windowOfRun(duration / 1000) * 1000)),
      )
    : DEFAULT_WINDOW;

/** A duration in ms; a plain number is seconds. */
function time(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(/^\d+(\.\d+)?$/.test(text) ? `${text}s` : text);
  if (ms !== undefined && ms >= LEAST_LOOK) return ms;
  throw new MemWatcherError('USAGE', `${flag} ${text}: write a time from 100ms up, such as 60s`);
}

function exitCode(text: string | undefined): number {
  if (text === undefined) return 0;
  const code = wholeNumber('--exit-code', text, 0);
  if (code <= 255) return code;
  throw new MemWatcherError('USAGE', `--exit-code ${text}: an exit code ends at 255`);
}
