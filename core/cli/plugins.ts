import { join } from 'node:path';
import type { Command } from 'commander';
import { suggestion } from '../config/nearest.js';
import {
  describePlugin,
  exampleText,
  type PluginDescription,
  type ProfileDescription,
} from '../description.js';
import { MemWatcherError } from '../errors.js';
import type { KernelProfile } from '../kernel/kernel.js';
import { readProfile } from '../kernel/profile.js';
import { objectNames } from '../metadata.js';
import { type CliContext, ExitCode } from './context.js';
import { jsonLine } from './json.js';
import { jsonOption } from './options.js';
import { type Style, styleFor } from './style.js';
import { renderTable } from './table.js';
import { wrapText } from './text.js';
import type { Column, Table } from './view.js';

export function registerPlugins(
  program: Command,
  context: CliContext,
  exit: (code: number) => void,
) {
  program
    .command('plugins')
    .helpGroup('Help:')
    .argument('[name]', 'one plugin in detail')
    .summary('the plugins, or one in detail: metrics, configuration, strategies')
    .description(
      'Lists the plugins. With a name: what it sees, its metrics with units and attributes, its ' +
        'events, its configuration with defaults, its strategies and what they need of the kernel.',
    )
    .addOption(jsonOption())
    .action((name: string | undefined, { json }: { json?: true }) => {
      exit(listPlugins(context, name, json === true));
    });
}

function listPlugins(context: CliContext, name: string | undefined, json: boolean): number {
  const { plugins, stdout, env } = context;
  const chosen =
    name === undefined ? plugins : plugins.filter(({ metadata }) => metadata.name === name);
  if (name !== undefined && chosen.length === 0) {
    const known = plugins.map(({ metadata }) => metadata.name);
    throw new MemWatcherError('USAGE', `no plugin is called ${name}${suggestion(name, known)}`);
  }
  const descriptions = chosen.map((module) =>
    describePlugin(
      module,
      objectNames(module.metadata).flatMap((each) => profileOf(context, each) ?? []),
    ),
  );
  if (json) {
    for (const description of descriptions) stdout.write(jsonLine(description));
    return ExitCode.ok;
  }
  const width = stdout.isTTY ? stdout.columns || 80 : Number.POSITIVE_INFINITY;
  const style = styleFor(stdout, env);
  const [first] = descriptions;
  const tables = name === undefined || !first ? [overview(descriptions)] : detail(first);
  if (name !== undefined && first) stdout.write(`${heading(first, style, width)}\n\n`);
  stdout.write(
    `${tables.map((table) => renderTable(table, width, style).join('\n')).join('\n\n')}\n`,
  );
  return ExitCode.ok;
}

/** A program torn from its profiles can still say the rest. */
function profileOf({ root }: CliContext, plugin: string): KernelProfile | undefined {
  try {
    return readProfile(join(root, 'config', 'kernel'), plugin);
  } catch (error) {
    if (error instanceof MemWatcherError && error.code === 'CONFIG_NOT_FOUND') return undefined;
    throw error;
  }
}

function heading({ plugin, title, description }: PluginDescription, style: Style, width: number) {
  return [style.bold(`${plugin}: ${title}`), ...wrapText(description, width)].join('\n');
}

const left = (title: string, priority = 0): Column => ({ title, align: 'left', priority });
const text = (title: string, priority = 0): Column => ({
  ...left(title, priority),
  flexible: true,
  wrap: true,
});

function overview(plugins: readonly PluginDescription[]): Table {
  return {
    columns: [
      left('PLUGIN'),
      left('FLAG', 2),
      left('METRICS', 3),
      left('EVENTS', 3),
      text('WHAT IT SEES'),
    ],
    rows: plugins.map(({ plugin, alias, title, metrics, events }) => [
      plugin,
      alias ? `-${alias}` : '',
      String(metrics.length),
      String(events.length),
      title,
    ]),
    footer: 'mem-watcher plugins NAME says more',
  };
}

function detail({
  common_attributes: common,
  metrics,
  attributes,
  events,
  spans,
  config,
  objects = [],
  ...own
}: PluginDescription): Table[] {
  const tables: Table[] = [
    {
      title: 'Metrics',
      columns: [
        left('NAME'),
        left('KIND', 3),
        left('UNIT'),
        left('DEFAULT', 2),
        text('ATTRIBUTES', 4),
        text('DESCRIPTION'),
      ],
      rows: metrics.map((metric) => [
        metric.name,
        metric.kind,
        metric.unit,
        metric.enabled ? 'on' : 'off',
        metric.attributes.join(', '),
        metric.description,
      ]),
      ...(common.length > 0 ? { footer: `every metric also has ${common.join(', ')}` } : {}),
    },
    {
      title: 'Attributes',
      columns: [left('NAME'), left('TYPE', 1), text('VALUES', 2), text('DESCRIPTION')],
      rows: attributes.map(({ name, type, values, example, description }) => [
        name,
        type,
        values?.join(', ') ?? (example === undefined ? '' : `for instance ${exampleText(example)}`),
        description,
      ]),
    },
    {
      title: 'Events',
      columns: [left('NAME'), left('SEVERITY', 1), text('ATTRIBUTES', 2), text('DESCRIPTION')],
      rows: events.map((event) => [
        event.name,
        event.severity,
        event.attributes.join(', '),
        event.description,
      ]),
    },
    {
      title: 'Spans',
      columns: [left('NAME'), text('ATTRIBUTES', 1), text('DESCRIPTION')],
      rows: spans.map(({ name, attributes, description }) => [
        name,
        attributes.join(', '),
        description,
      ]),
    },
    {
      title: 'Configuration',
      columns: [left('KEY'), text('TYPE', 1), text('DEFAULT'), text('DESCRIPTION')],
      rows: config.map(({ key, type, default: value, description }) => [
        key,
        type,
        value === undefined ? '' : JSON.stringify(value),
        description,
      ]),
    },
    ...profileTables(own, ''),
    ...objects.flatMap((each) => profileTables(each, `${each.object}: `)),
  ];
  return tables.filter(({ rows }) => rows.length > 0);
}

function profileTables({ strategies, parts }: ProfileDescription, of: string): Table[] {
  return [
    {
      title: `${of}Strategies, in order of preference`,
      columns: [left('NAME'), text('NEEDS', 1), text('HOW')],
      rows: strategies.map(({ name, needs, summary, manual }) => [
        name,
        needs.join(', '),
        manual ? `${summary} (only when configured)` : summary,
      ]),
    },
    {
      title: `${of}Parts, where the kernel lets it`,
      columns: [left('NAME'), left('CHOICE'), text('NEEDS', 1), text('HOW')],
      rows: parts.flatMap(({ name, choices }) =>
        choices.map((choice) => [name, choice.name, choice.needs.join(', '), choice.summary]),
      ),
    },
  ];
}
