import { InvalidArgumentError, Option } from 'commander';
import type { Override } from '../config/load.js';

/** Options that several commands share, spelled and explained once. */
export const configOption = () =>
  new Option(
    '-c, --config <file>',
    'configuration (default: MEM_WATCHER_CONFIG, then /etc/mem-watcher/agent.yaml, then the one shipped)',
  );

export const btfOption = () =>
  new Option('--btf <file>', 'BTF of a kernel that has none of its own');

export const jsonOption = (what = 'one JSON record a line (docs/json.md)') =>
  new Option('--json', what);

export const intervalOption = (byDefault?: string) =>
  new Option(
    '-i, --interval <duration>',
    `time between collections, for instance 500ms; a plain number is seconds${byDefault ? ` (default: ${byDefault})` : ''}`,
  ).argParser((text) => (/^\d+(\.\d+)?$/.test(text) ? `${text}s` : text));

export const countOption = () =>
  new Option('-n, --count <number>', 'stop after so many collections').argParser((text) => {
    const count = Number(text);
    if (Number.isInteger(count) && count > 0) return count;
    throw new InvalidArgumentError('It must be a whole number from 1.');
  });

/** An option's value laid over the configuration; nothing if it was not given. */
export function override(
  origin: string,
  given: unknown,
  value: Readonly<Record<string, unknown>>,
): Override[] {
  return given === undefined ? [] : [{ origin, value }];
}
