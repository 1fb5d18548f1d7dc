import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import type { Override } from '../config/load.js';
import { MemWatcherError } from '../errors.js';
import type { PluginModule, PluginStatus } from '../plugin.js';
import type { PluginCollection } from '../plugin-runner.js';
import { lacksText } from '../status.js';
import type { EventRecord, SpanRecord } from '../telemetry/events.js';
import { type CliAgent, type CliContext, ExitCode } from './context.js';
import { eventRecord, isoTime, pointRecords, spanRecord } from './json.js';
import {
  btfOption,
  configOption,
  countOption,
  intervalOption,
  jsonOption,
  override,
} from './options.js';
import { RecordOutput } from './record-output.js';
import { canRedraw, Screen } from './screen.js';
import { styleFor } from './style.js';
import { renderTable } from './table.js';
import { fit, harmless } from './text.js';

const DEFAULT_INTERVAL = '2s';

interface LiveOptions {
  readonly config?: string;
  readonly interval?: string;
  readonly count?: number;
  readonly once?: true;
  readonly json?: true;
  readonly bytes?: true;
  readonly strategy?: string;
  readonly btf?: string;
  readonly [name: string]: unknown;
}

/** One plugin on the terminal: `mem-watcher <plugin>`, the same for every plugin by its view. */
export function registerLive(
  program: Command,
  module: PluginModule,
  context: CliContext,
  exit: (code: number) => void,
) {
  const { metadata, view } = module;
  const command = program
    .command(metadata.name)
    .helpGroup('Live views:')
    .summary(view.summary)
    .description(metadata.description)
    .addOption(configOption())
    .addOption(btfOption())
    .addOption(intervalOption(DEFAULT_INTERVAL))
    .addOption(countOption())
    .option('--once', 'one collection: the same as --count 1')
    .addOption(jsonOption('metric points, events and spans, one JSON record a line (docs/json.md)'))
    .option('-b, --bytes', 'plain bytes instead of KiB, MiB, GiB')
    .option('--strategy <name>', 'how to see; mem-watcher doctor says which this kernel can do');
  for (const { flags, description } of view.options) {
    command.addOption(new Option(flags, description));
  }
  command.action(async (options: LiveOptions) => exit(await live(module, context, options)));
}

async function live(module: PluginModule, context: CliContext, options: LiveOptions) {
  const { name } = module.metadata;
  const overrides = liveOverrides(module, context, options);
  const { config } = context.loadConfig({ file: options.config, overrides });
  // What it would warn of is in the status, which is shown: logged as well it would be said twice,
  // and across the table.
  const quiet = config.log.level === 'debug' ? {} : ({ silent: true } as const);
  const agent = await context.createAgent(config, quiet);
  const show = presenter(module, context, options, config.interval);
  const rounds = options.once ? 1 : (options.count ?? Number.POSITIVE_INFINITY);
  let seen = false;
  try {
    const { event, span } = show;
    if (event) agent.onEvent((happened) => happened.plugin === name && event(happened));
    if (span) agent.onSpan(span);
    await agent.start();
    const status = statusOf(agent, name);
    if (status?.state === 'failed') throw failure(status);
    for (let round = 1; !context.interrupted.aborted; round++) {
      const began = performance.now();
      const collection = await unlessInterrupted(agent.collect(), context.interrupted);
      if (!collection) break;
      const own = collection.plugins.find((plugin) => plugin.name === name);
      if (own) seen = true;
      if (!context.interrupted.aborted) show.collection(own, statusOf(agent, name));
      if (round >= rounds) break;
      const elapsed = performance.now() - began;
      await pause(Math.max(0, config.interval - elapsed), context.interrupted);
    }
  } finally {
    show.close();
    await agent.stop();
  }
  return seen || context.interrupted.aborted ? ExitCode.ok : ExitCode.failure;
}

function liveOverrides(
  { metadata, view }: PluginModule,
  context: CliContext,
  options: LiveOptions,
) {
  const others = context.plugins.map(({ metadata: { name } }) => [
    name,
    { enabled: name === metadata.name },
  ]);
  const overrides: Override[] = [
    { origin: metadata.name, value: { plugins: Object.fromEntries(others) } },
    { origin: '--interval', value: { interval: options.interval ?? DEFAULT_INTERVAL } },
    ...override('--btf', options.btf, { kernel: { btf: options.btf } }),
    ...override('--strategy', options.strategy, {
      plugins: { [metadata.name]: { strategy: options.strategy } },
    }),
  ];
  let before: Readonly<Record<string, unknown>> = {};
  for (const option of view.options) {
    const flag = new Option(option.flags);
    const given = options[flag.attributeName()];
    if (given === undefined) continue;
    before = joined(before, option.config(given));
    overrides.push({
      origin: flag.long ?? option.flags,
      value: { plugins: { [metadata.name]: before } },
    });
  }
  return overrides;
}

/** A list that several options add to holds what each of them says. */
function joined(
  before: Readonly<Record<string, unknown>>,
  given: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const entries = Object.entries(given).map(([key, value]): [string, unknown] => {
    const known = before[key];
    return [key, Array.isArray(known) && Array.isArray(value) ? [...known, ...value] : value];
  });
  return { ...before, ...Object.fromEntries(entries) };
}

interface Presenter {
  collection(own: PluginCollection | undefined, status: PluginStatus | undefined): void;
  /** Of this plugin; where events and spans are shown. */
  readonly event?: (event: EventRecord) => void;
  readonly span?: (span: SpanRecord) => void;
  close(): void;
}

function presenter(
  module: PluginModule,
  context: CliContext,
  options: LiveOptions,
  interval: number,
): Presenter {
  const say = () =>
    onChange((words) => context.stderr.write(`${module.metadata.name}: ${words}\n`));
  const [sayReason, sayLacks] = [say(), say()];
  const warn = (status: PluginStatus | undefined) => {
    sayReason(status?.reason);
    sayLacks(status && lacksText(status.lacks));
  };
  if (options.json) {
    const output = new RecordOutput(context);
    return {
      collection: (own, status) => {
        if (own) output.write(pointRecords(own.batch));
        warn(status);
      },
      event: (event) => output.write([eventRecord(event)]),
      span: (span) => output.write([spanRecord(span)]),
      close: () => output.close(),
    };
  }
  return canRedraw(context) && options.once === undefined
    ? redrawing(module, context, options, interval)
    : plainBlocks(module, context, options, warn);
}

function plainBlocks(
  { view }: PluginModule,
  { stdout, env }: CliContext,
  options: LiveOptions,
  warn: (status: PluginStatus | undefined) => void,
): Presenter {
  const width = stdout.isTTY ? stdout.columns || 80 : Number.POSITIVE_INFINITY;
  const style = styleFor(stdout, env);
  const context = { rows: Number.MAX_SAFE_INTEGER, bytes: options.bytes === true };
  let first = true;
  return {
    collection: (own, status) => {
      warn(status);
      if (!own) return;
      const several = !options.once && options.count !== 1;
      const blocks = view
        .tables(own.records, context)
        .map((table) => renderTable(table, width, style));
      const time = several ? [[isoTime(own.batch.time)]] : [];
      const text = [...time, ...blocks].map((lines) => lines.join('\n')).join('\n\n');
      stdout.write(`${first ? '' : '\n'}${text}\n`);
      first = false;
    },
    close: () => undefined,
  };
}

/** Title, a blank line, and per table a title, a heading, a footer and a blank line. */
const CHROME = 6;

function redrawing(
  { metadata, view }: PluginModule,
  context: CliContext,
  options: LiveOptions,
  interval: number,
): Presenter {
  const style = styleFor(context.stdout, context.env);
  const screen = new Screen(context);
  let last: PluginCollection | undefined;
  screen.draw((columns) => [fit(`${metadata.name}: the first collection is under way`, columns)]);
  return {
    collection: (own, status) => {
      last = own ?? last;
      screen.draw((columns, rows) => {
        const time = last ? isoTime(last.batch.time) : 'nothing read yet';
        const head = `mem-watcher ${metadata.name}  ${time}  every ${interval / 1000} s  Ctrl-C ends`;
        const reason = status?.reason ? [style.warn(fit(harmless(status.reason), columns))] : [];
        const lacking = status && lacksText(status.lacks);
        const lacks = lacking ? [style.dim(fit(harmless(lacking), columns))] : [];
        const tables = last
          ? view.tables(last.records, {
              rows: Math.max(1, rows - CHROME - reason.length - lacks.length),
              bytes: options.bytes === true,
            })
          : [];
        const blocks = tables.map((table) => ['', ...renderTable(table, columns, style)]);
        return [style.dim(fit(head, columns)), ...reason, ...lacks, ...blocks.flat()];
      });
    },
    close: () => screen.close(),
  };
}

export const statusOf = (agent: CliAgent, name: string): PluginStatus | undefined =>
  agent.statuses.find(({ plugin }) => plugin === name);

/**
 * A plugin that did not start is all that the command was for. The evidence below the first line of
 * the reason is for `doctor` and the log.
 */
export function failure({ plugin, reason = '' }: PluginStatus): MemWatcherError {
  const [sentence = ''] = reason.split('\n', 1);
  const hint = sentence.includes(DOCTOR) ? {} : { hint: `${DOCTOR} says what this machine lacks` };
  const message = `${plugin} could not start: ${sentence}`;
  return new MemWatcherError('KERNEL_NOT_SUPPORTED', message, hint);
}

const DOCTOR = 'mem-watcher doctor';

/** Says a thing once, until it is another. */
export function onChange(say: (text: string) => void): (text: string | undefined) => void {
  let last: string | undefined;
  return (text) => {
    if (text !== undefined && text !== last) say(text);
    last = text;
  };
}

/** Undefined as soon as the signal aborts: a plugin that hangs must not hold up the end. */
async function unlessInterrupted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  const over = new AbortController();
  const interrupted = once(signal, 'abort', { signal: over.signal }).then(
    () => undefined,
    () => undefined,
  );
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    over.abort();
  }
}

/** Ends early, without an error, when the signal does. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
