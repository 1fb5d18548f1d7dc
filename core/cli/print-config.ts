import type { Command } from 'commander';
import { stringify } from 'yaml';
import { agentJsonSchema } from '../config/json-schema.js';
import { asWritten, printed, secretsHidden } from '../config/printed.js';
import { type CliContext, ExitCode } from './context.js';
import { jsonLine } from './json.js';
import { configOption, jsonOption } from './options.js';

export function registerPrintConfig(
  program: Command,
  context: CliContext,
  exit: (code: number) => void,
) {
  program
    .command('print-config')
    .helpGroup('Help:')
    .summary('the configuration in force, with defaults, without secrets')
    .description(
      'Prints the configuration as the agent would use it: substituted, checked, with every ' +
        'default. Header values, credentials and what came from the environment are not shown.',
    )
    .addOption(configOption())
    .addOption(jsonOption('one JSON record'))
    .action((options: { config?: string; json?: true }) => exit(printConfig(context, options)));
}

function printConfig(context: CliContext, options: { config?: string; json?: true }): number {
  const loaded = context.loadConfig({ file: options.config });
  const schema = agentJsonSchema(context.plugins);
  const shown = printed(schema, asWritten(loaded.config), secretsHidden(loaded));
  context.stdout.write(options.json ? jsonLine(shown) : `# ${loaded.file}\n${stringify(shown)}`);
  return ExitCode.ok;
}
