import { Command } from 'commander';
import type { PluginModule } from '../plugin.js';
import { takesPid } from './aliases.js';
import { registerCheck } from './check.js';
import { registerCompletion } from './completion.js';
import { type CliContext, ExitCode } from './context.js';
import { registerDoctor } from './doctor.js';
import { registerLive } from './live.js';
import { originalCommand, registerPluginCommands } from './plugin-command.js';
import { registerPlugins } from './plugins.js';
import { registerPrintConfig } from './print-config.js';
import { registerRun } from './run.js';

const EPILOG = `
Exit codes:
  ${ExitCode.ok}    done, or ended by a signal after everything was flushed
  ${ExitCode.failure}    it could not do its work: no plugin started, the kernel refused
  ${ExitCode.usage}    wrong arguments, or a mistake in the configuration
  ${ExitCode.notOk}    check --strict found a plugin that is not ok
  ${ExitCode.forced}  a second Ctrl-C: nothing was flushed

Data goes to stdout, everything else to stderr. NO_COLOR is honoured.`;

/** The whole command line. `exit` takes the exit code of the command that ran. */
export function buildProgram(context: CliContext, exit: (code: number) => void): Command {
  const { stdout, stderr } = context;
  const program = new Command('mem-watcher')
    .description("The truth about this host's memory, from inside the kernel, as OpenTelemetry.")
    .version(context.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'mem-watcher: ')),
      getOutHelpWidth: () => stdout.columns || 80,
      getErrHelpWidth: () => stderr.columns || 80,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showHelpAfterError('(mem-watcher --help says what there is)')
    .addHelpText('after', () => aliasHelp(context) + EPILOG);
  registerRun(program, context, exit);
  registerCheck(program, context, exit);
  registerDoctor(program, context, exit);
  for (const module of context.plugins) registerLive(program, module, context, exit);
  for (const module of context.plugins) registerPluginCommands(program, module, context, exit);
  registerPlugins(program, context, exit);
  registerPrintConfig(program, context, exit);
  registerCompletion(program, context, exit);
  return program;
}

function aliasHelp({ plugins }: CliContext): string {
  const lines = plugins.flatMap((plugin) => {
    const { name } = plugin.metadata;
    const { alias } = plugin.view;
    const command = originalCommand(plugin);
    if (command) return commandAliasHelp(plugin, command.name, command.original?.('PID', []) ?? []);
    const [pid, meant] = takesPid(plugin) ? [' [-P PID]', ' [--pid PID]'] : ['', ''];
    const flags = `  -${alias}, --${name}${pid}`.padEnd(30);
    return alias ? [`${flags}the same as: ${name}${meant}`] : [];
  });
  return lines.length === 0 ? '' : `\nFlags of the original mem_watcher:\n${lines.join('\n')}\n`;
}

function commandAliasHelp(
  { metadata, view: { alias } }: PluginModule,
  command: string,
  words: readonly string[],
): string[] {
  if (alias === undefined) return [];
  const flags = `  -${alias} PID, --${metadata.name}=PID`.padEnd(30);
  return [`${flags}the same as: ${[command, ...words].join(' ')}`];
}
