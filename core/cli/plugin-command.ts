import { type Command, Option } from 'commander';
import type { PluginModule } from '../plugin.js';
import type { CliContext } from './context.js';

/** An option of a plugin's command. */
export interface CommandOption {
  /** In commander's notation: `--duration <time>`. An argument `<file>` is completed as one. */
  readonly flags: string;
  readonly description: string;
  readonly choices?: readonly string[];
  /** The text given → its value. Throw a USAGE error if it is wrong. */
  readonly parse?: (text: string) => unknown;
}

/**
 * A command that a plugin brings along beside its live view, for work that a view cannot do: it has
 * an end and a result. It sees the world through the context alone, as the core's own commands do.
 */
export interface PluginCommand {
  /** Its word on the command line, unlike any plugin's or command's of the core. */
  readonly name: string;
  /** One line for `--help`. */
  readonly summary: string;
  readonly description: string;
  readonly options: readonly CommandOption[];
  /** Stands below its `--help`: examples, exit codes. */
  readonly epilog?: string;
  /**
   * The plugin's flag of the original (`-x`, `--name`) takes a process and means this command, no
   * view. Gives the words that do the same; `rest` is what else was given and comes after them.
   */
  readonly original?: (pid: string | undefined, rest: readonly string[]) => readonly string[];
  /** Gives the exit code. Options by commander's names: `--older-than` is `olderThan`. */
  run(options: Readonly<Record<string, unknown>>, context: CliContext): Promise<number>;
}

/** The command to which the plugin's flag of the original leads, if not to its view. */
export const originalCommand = ({ commands = [] }: PluginModule): PluginCommand | undefined =>
  commands.find(({ original }) => original !== undefined);

export function registerPluginCommands(
  program: Command,
  { metadata, commands = [] }: PluginModule,
  context: CliContext,
  exit: (code: number) => void,
): void {
  for (const command of commands) {
    const registered = program
      .command(command.name)
      .helpGroup(`${metadata.title}:`)
      .summary(command.summary)
      .description(command.description);
    for (const option of command.options) registered.addOption(commanderOption(option));
    if (command.epilog !== undefined) registered.addHelpText('after', `\n${command.epilog}`);
    registered.action(async (options: Readonly<Record<string, unknown>>) =>
      exit(await command.run(options, context)),
    );
  }
}

function commanderOption({ flags, description, choices, parse }: CommandOption): Option {
  const option = new Option(flags, description);
  if (choices) option.choices(choices);
  if (parse) option.argParser(parse);
  return option;
}
