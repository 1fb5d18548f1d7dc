import { once } from 'node:events';
import type { Command } from 'commander';
import type { AgentConfig } from '../config/schema.js';
import { MemWatcherError } from '../errors.js';
import type { PluginStatus } from '../plugin.js';
import { type CliContext, ExitCode } from './context.js';
import { btfOption, configOption, intervalOption, jsonOption, override } from './options.js';
import { jsonDisplay, linesDisplay, type RunDisplay } from './run-display.js';
import { canRedraw } from './screen.js';

interface RunOptions {
  readonly config?: string;
  readonly interval?: string;
  readonly btf?: string;
  readonly json?: true;
}

export function registerRun(program: Command, context: CliContext, exit: (code: number) => void) {
  program
    .command('run')
    .helpGroup('The agent:')
    .summary('watch and export until it is told to stop')
    .description(
      'Runs every enabled plugin and exports what they see. On a terminal it shows a live table, ' +
        'off a terminal one JSON line a collection. SIGHUP reloads the configuration.',
    )
    .addOption(configOption())
    .addOption(intervalOption())
    .addOption(btfOption())
    .addOption(
      jsonOption('every metric point, event and span, one JSON record a line (docs/json.md)'),
    )
    .action(async (options: RunOptions) => exit(await run(context, options)));
}

async function run(context: CliContext, options: RunOptions): Promise<number> {
  const overrides = [
    ...override('--interval', options.interval, { interval: options.interval }),
    ...override('--btf', options.btf, { kernel: { btf: options.btf } }),
  ];
  const load = () => {
    const { config } = context.loadConfig({ file: options.config, overrides });
    refuseIdle(config);
    return config;
  };
  const config = load();
  const display = await displayFor(context, options, config);
  let statuses: readonly PluginStatus[] = [];
  const supervisor = context.createSupervisor(config, {
    onCollection: (collection) => {
      // The last collection comes while the supervisor stops, and has let go of its agent.
      if (supervisor.statuses.length > 0) statuses = supervisor.statuses;
      display.collection(collection, statuses);
    },
    onEvent: (event) => display.event(event),
    ...(display.span ? { onSpan: display.span } : {}),
    ...(display.log ? { log: display.log } : {}),
  });
  const ignoreReload = context.onReload(() => void supervisor.reload(load));
  try {
    const interrupted = context.interrupted.aborted || once(context.interrupted, 'abort');
    await Promise.race([supervisor.start(config), interrupted]);
    const failed = supervisor.statuses.filter(({ state }) => state === 'failed');
    const isOver = context.interrupted.aborted;
    if (!isOver && failed.length > 0 && failed.length === supervisor.statuses.length) {
      const reasons = failed.map(({ plugin, reason }) => `${plugin}: ${reason}`).join('\n');
      throw new MemWatcherError('KERNEL_NOT_SUPPORTED', 'no plugin could start', {
        detail: reasons,
        hint: 'mem-watcher doctor says what this machine lacks',
      });
    }
    await interrupted;
  } finally {
    ignoreReload();
    display.close();
    await supervisor.stop();
  }
  return ExitCode.ok;
}

function refuseIdle({ plugins }: AgentConfig): void {
  if (Object.values(plugins).some(({ enabled }) => enabled)) return;
  throw new MemWatcherError('CONFIG_INVALID', 'no plugin is enabled: there is nothing to watch', {
    hint: 'set plugins.<name>.enabled to true; mem-watcher plugins lists the names',
  });
}

async function displayFor(
  context: CliContext,
  { json }: RunOptions,
  config: AgentConfig,
): Promise<RunDisplay> {
  if (json) return jsonDisplay(context);
  if (!canRedraw(context)) return linesDisplay(context);
  // Loaded here and not at the top: it knows the exporters, and no other command needs them.
  const { RunTable } = await import('./run-table.js');
  return new RunTable(context, config);
}
