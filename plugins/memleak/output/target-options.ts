/** The options of `mem-watcher leaks` that say whom to watch, and which of their functions. */
import { listOf, wholeNumber } from '../../../core/cli/filter-options.js';
import type { CommandOption } from '../../../core/cli/plugin-command.js';
import { MemWatcherError } from '../../../core/errors.js';
import { SHAPES, type Shape } from '../user/user-watch.js';

export const TARGET_OPTIONS: readonly CommandOption[] = [
  { flags: '--pid <pid...>', description: 'these processes' },
  {
    flags: '--executable <name...>',
    description: 'every process of it, also later ones: shop, /^shop/',
  },
  {
    flags: '--container <id...>',
    description: 'every process in it, by id or its first 12 digits',
  },
  { flags: '--cgroup <path...>', description: 'every process in it or below' },
  { flags: '--unit <name...>', description: 'every process of this systemd unit' },
  { flags: '--children', description: 'also what these fork' },
  { flags: '--inherit', description: 'a child begins with what its parent has outstanding' },
  { flags: '--mmap', description: 'also mmap, munmap, mremap called by the program' },
  { flags: '--brk', description: 'also sbrk called by the program' },
  {
    flags: '--function <name=shape...>',
    description: 'further functions, each with the one that it is like: my_alloc=malloc',
  },
];

/** Who is to be watched, by the keys of `plugins.memleak.targets`. */
export type TargetOverride = Readonly<
  Record<string, string | number | boolean | Readonly<Record<string, Shape>>>
>;

export interface ChosenTargets {
  readonly targets: readonly TargetOverride[];
  /** Of `targets`. */
  readonly pids: readonly number[];
}

const SELECTORS = ['executable', 'container', 'cgroup', 'unit'] as const;
const SWITCHES = ['children', 'inherit', 'mmap', 'brk'] as const;

/** USAGE errors for what cannot be meant. */
export function chosenTargets(options: Readonly<Record<string, unknown>>): ChosenTargets {
  const pids = pidsOf(options.pid);
  const traits = traitsOf(options);
  const named = SELECTORS.flatMap((key) =>
    options[key] === undefined ? [] : listOf(options[key]).map((value) => ({ [key]: value })),
  );
  const chosen = [...pids.map((pid) => ({ pid })), ...named];
  const [trait] = Object.keys(traits);
  if (chosen.length === 0 && trait !== undefined) {
    const flag = trait === 'functions' ? 'function' : trait;
    throw new MemWatcherError('USAGE', `--${flag}: say whose`, {
      hint: '--pid, --executable, --container, --cgroup or --unit',
    });
  }
  return { pids, targets: chosen.map((one) => ({ ...one, ...traits })) };
}

/** What holds for each of those who are chosen here. */
function traitsOf(options: Readonly<Record<string, unknown>>): TargetOverride {
  const asked = SWITCHES.filter((key) => options[key] === true).map((key) => [key, true] as const);
  const functions = options.function === undefined ? [] : listOf(options.function).map(functionOf);
  return {
    ...Object.fromEntries(asked),
    ...(functions.length > 0 && { functions: Object.fromEntries(functions) }),
  };
}

function functionOf(text: string): readonly [string, Shape] {
  const at = text.lastIndexOf('=');
  const shape = SHAPES.find((known) => known === text.slice(at + 1));
  if (at > 0 && shape !== undefined) return [text.slice(0, at), shape];
  throw new MemWatcherError('USAGE', `--function ${text}: write NAME=SHAPE, as my_alloc=malloc`, {
    hint: `shapes: ${SHAPES.join(', ')}`,
  });
}

const pidsOf = (given: unknown): number[] =>
  given === undefined
    ? []
    : listOf(given)
        .flatMap((item) => item.split(','))
        .map((pid) => wholeNumber('--pid', pid, 1));
