import type { Command } from 'commander';
import type { Collection } from '../agent.js';
import type { PluginStatus } from '../plugin.js';
import { lacksText } from '../status.js';
import { type CliContext, ExitCode } from './context.js';
import { formatElapsed } from './format.js';
import { jsonLine, seconds } from './json.js';
import { btfOption, configOption, jsonOption, override } from './options.js';
import { pointCount } from './run-display.js';
import { styleFor } from './style.js';
import { renderTable } from './table.js';

interface CheckOptions {
  readonly config?: string;
  readonly btf?: string;
  readonly strict?: true;
  readonly json?: true;
}

export function registerCheck(program: Command, context: CliContext, exit: (code: number) => void) {
  program
    .command('check')
    .helpGroup('The agent:')
    .summary('try everything once: configuration, load, attach, one collection, detach')
    .description(
      'Reads the configuration, loads and attaches every enabled plugin, collects once, and ' +
        'detaches. Exit code 1 if a plugin failed; with --strict 3 if one is not ok.',
    )
    .addOption(configOption())
    .addOption(btfOption())
    .option('--strict', 'a degraded plugin fails the check too')
    .addOption(jsonOption())
    .action(async (options: CheckOptions) => exit(await check(context, options)));
}

async function check(context: CliContext, options: CheckOptions): Promise<number> {
  const overrides = override('--btf', options.btf, { kernel: { btf: options.btf } });
  const { config, file } = context.loadConfig({ file: options.config, overrides });
  const agent = await context.createAgent(config);
  let collection: Collection;
  let statuses: readonly PluginStatus[];
  try {
    await agent.start();
    collection = await agent.collect();
    statuses = agent.statuses;
  } finally {
    await agent.stop();
  }
  const results = statuses.map((status) => resultOf(status, collection));
  if (options.json) for (const result of results) context.stdout.write(jsonLine(result));
  else print(context, file, results);
  if (options.strict) {
    return results.every(({ status }) => status === 'ok') ? ExitCode.ok : ExitCode.notOk;
  }
  return results.some(({ status }) => status === 'failed') ? ExitCode.failure : ExitCode.ok;
}

type Result = ReturnType<typeof resultOf>;

function resultOf(status: PluginStatus, { plugins }: Collection) {
  const { plugin, state, strategy, reason, lacks } = status;
  const own = plugins.find(({ name }) => name === plugin);
  return {
    plugin,
    status: state,
    strategy,
    points: own ? pointCount(own.batch) : 0,
    duration_seconds: own ? seconds(own.durationMs) : undefined,
    reason,
    ...(lacks.length === 0 ? {} : { lacks }),
  };
}

function print({ stdout, env }: CliContext, file: string, results: readonly Result[]) {
  const width = stdout.isTTY ? stdout.columns || 80 : Number.POSITIVE_INFINITY;
  stdout.write(`${file}: ok\n`);
  const left = { align: 'left', priority: 0 } as const;
  const lines = renderTable(
    {
      columns: [
        { ...left, title: 'plugin' },
        { ...left, title: 'status' },
        { ...left, title: 'strategy' },
        { align: 'right', priority: 1, title: 'points' },
        { align: 'right', priority: 2, title: 'collection' },
      ],
      rows: results.map(({ plugin, status, strategy, points, duration_seconds: took }) => [
        plugin,
        status,
        strategy ?? '-',
        String(points),
        took === undefined ? '-' : formatElapsed(took * 1000),
      ]),
    },
    width,
    styleFor(stdout, env),
  );
  stdout.write(`${lines.join('\n')}\n`);
  // Whole, not in the table: a verifier's last words are what the reader came for.
  for (const { plugin, reason, lacks = [] } of results) {
    for (const words of [reason, lacksText(lacks)]) {
      if (words !== undefined) stdout.write(`\n${plugin}: ${words}\n`);
    }
  }
}
