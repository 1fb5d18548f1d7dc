import { MemWatcherError } from '../errors.js';
import type { PluginModule } from '../plugin.js';
import { originalCommand } from './plugin-command.js';

/**
 * The original tool had one flag a tool: `mem_watcher -r -P 42`. Rewrites such a line to this
 * program's words: `procstat --pid 42`. Anything else is given back as it is.
 */
export function expandAliases(argv: readonly string[], plugins: readonly PluginModule[]): string[] {
  if (argv[0] === undefined) return [];
  const named = plugins.find(({ metadata }) => metadata.name === argv[0]);
  if (named) return translated(named, argv, plugins);
  if (!argv[0].startsWith('-')) return [...argv];
  const chosen = argv.flatMap((argument, index) => {
    const plugin = plugins.find((module) => names(module, argument.split('=')[0] ?? ''));
    return plugin ? [{ plugin, index, argument }] : [];
  });
  const [first, second] = chosen;
  if (!first) {
    refuseUnknown(argv[0], plugins);
    return [...argv];
  }
  if (second && second.plugin !== first.plugin) {
    throw new MemWatcherError(
      'USAGE',
      `${first.argument} and ${second.argument}: one tool at a time`,
      {
        hint: 'to watch with all of them: mem-watcher run',
      },
    );
  }
  const { index, argument, plugin } = first;
  const command = originalCommand(plugin);
  const glued = gluedTo(argument);
  const next = argv[index + 1];
  const follows = command !== undefined && glued === undefined && next?.startsWith('-') === false;
  const taken = [...chosen.map((choice) => choice.index), ...(follows ? [index + 1] : [])];
  const rest = argv.filter((_, at) => !taken.includes(at));
  const pid = follows ? next : glued;
  if (command?.original) {
    const others = rest.flatMap(pidFlag);
    return [command.name, ...command.original(pid, others), ...others];
  }
  const { name } = plugin.metadata;
  return translated(plugin, [name, ...(pid === undefined ? [] : ['-P', pid]), ...rest], plugins);
}

/** The process that is glued to the flag: `--tool=42`, `-t42`. */
const gluedTo = (argument: string): string | undefined =>
  /=(.*)$/s.exec(argument)?.[1] ?? /^-[a-z](\d+)$/.exec(argument)?.[1];

function translated(
  plugin: PluginModule,
  argv: readonly string[],
  plugins: readonly PluginModule[],
) {
  if (!takesPid(plugin) && argv.some((argument) => pidFlag(argument)[0] !== argument)) {
    const others = plugins.filter(takesPid).map(({ metadata }) => metadata.name);
    throw new MemWatcherError('USAGE', `${plugin.metadata.name} looks at no process`, {
      hint: `-P goes with ${others.join(', ') || 'no tool here'}`,
    });
  }
  return argv.flatMap(pidFlag);
}

function names(plugin: PluginModule, flag: string): boolean {
  const { metadata, view } = plugin;
  if (flag === `--${metadata.name}`) return true;
  if (view.alias === undefined || !flag.startsWith(`-${view.alias}`)) return false;
  return flag.length === 2 || (originalCommand(plugin) !== undefined && /^-.\d+$/.test(flag));
}

/** Whether the plugin's view looks at processes: only then does `-P` mean something. */
export const takesPid = ({ view }: PluginModule) =>
  view.options.some(({ flags }) => /^--pid\b/.test(flags));

/** `-P 42`, `-P42` → `--pid 42`. */
function pidFlag(argument: string): string[] {
  const match = /^-P(\d*)$/.exec(argument);
  if (!match) return [argument];
  return match[1] ? ['--pid', match[1]] : ['--pid'];
}

/** A flag of the original for a tool that this build does not have. */
function refuseUnknown(flag: string, plugins: readonly PluginModule[]): void {
  if (!/^-[a-z]$/.test(flag) || ['-h', '-V'].includes(flag)) return;
  const known = plugins.flatMap(({ metadata, view }) =>
    view.alias ? [`-${view.alias} (${metadata.name})`] : [],
  );
  throw new MemWatcherError(
    'USAGE',
    `no tool here goes by ${flag}; there are ${known.join(', ')}`,
    {
      hint: 'mem-watcher plugins lists them; mem-watcher --help says the rest',
    },
  );
}
