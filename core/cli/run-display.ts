import type { Collection } from '../agent.js';
import type { AgentConfig } from '../config/schema.js';
import type { PluginStatus } from '../plugin.js';
import type { EventRecord } from '../telemetry/events.js';
import type { PointBatch } from '../telemetry/points.js';
import type { CliContext } from './context.js';
import { endpoints } from './endpoints.js';
import { formatElapsed } from './format.js';
import { eventRecord, isoTime, jsonLine, pointRecords } from './json.js';
import { Screen } from './screen.js';
import { styleFor } from './style.js';
import { renderTable } from './table.js';
import { fit, harmless } from './text.js';

/** What `run` shows of each collection. */
export interface RunDisplay {
  collection(collection: Collection, statuses: readonly PluginStatus[]): void;
  event(event: EventRecord): void;
  /** Takes the agent's log where it would spoil the display. */
  readonly log?: (line: string) => void;
  close(): void;
}

/** `run --json`: every point and event. */
export function jsonDisplay({ stdout }: CliContext): RunDisplay {
  return {
    collection: ({ plugins }) => {
      for (const { batch } of plugins) {
        for (const point of pointRecords(batch)) stdout.write(jsonLine(point));
      }
    },
    event: (event) => void stdout.write(jsonLine(eventRecord(event))),
    close: () => undefined,
  };
}

/** Off a terminal: one line a collection. */
export function linesDisplay({ stdout, plugins }: CliContext): RunDisplay {
  return {
    collection: (collection, statuses) => {
      const memory: Record<string, number> = {};
      for (const { name, records } of collection.plugins) {
        const { view } = plugins.find(({ metadata }) => metadata.name === name) ?? {};
        Object.assign(memory, view?.figures?.(records));
      }
      const summaries = statuses.map((status) => [status.plugin, summaryOf(status, collection)]);
      stdout.write(
        jsonLine({
          time: isoTime(collection.time),
          collection: collection.number,
          plugins: Object.fromEntries(summaries),
          memory,
        }),
      );
    },
    event: () => undefined,
    close: () => undefined,
  };
}

function summaryOf({ plugin, state, strategy, reason }: PluginStatus, { plugins }: Collection) {
  const own = plugins.find(({ name }) => name === plugin);
  return {
    status: state,
    strategy,
    ...(reason === undefined ? {} : { reason }),
    points: own ? pointCount(own.batch) : 0,
    duration_seconds: own ? own.durationMs / 1000 : undefined,
  };
}

export const pointCount = ({ metrics }: PointBatch) =>
  metrics.reduce((sum, { scalars, histograms }) => sum + scalars.length + histograms.length, 0);

/** Log lines that stay in sight under the table. */
const LOG_LINES = 4;

/** On a terminal: a line a plugin, then what each sees, in place. */
export function tableDisplay(context: CliContext, config: AgentConfig): RunDisplay {
  const style = styleFor(context.stdout, context.env);
  const screen = new Screen(context);
  const targets = endpoints(config, context.env).join('  ');
  const log: string[] = [];
  let collection: Collection | undefined;
  let statuses: readonly PluginStatus[] = [];

  const draw = () =>
    screen.draw((columns, rows) => {
      const when = collection
        ? `${isoTime(collection.time)}  collection ${collection.number}`
        : 'starting';
      const lines = [
        style.dim(fit(`mem-watcher  ${when}  Ctrl-C detaches and flushes`, columns)),
        style.dim(fit(targets, columns)),
        ...statuses.map((status) => statusLine(status, columns)),
      ];
      for (const { name, records } of collection?.plugins ?? []) {
        const view = context.plugins.find(({ metadata }) => metadata.name === name)?.view;
        // Title, heading, footer and the blank line above are not rows.
        const fitting = Math.max(1, rows - lines.length - log.length - 4);
        for (const table of view?.overview(records, { rows: fitting, bytes: false }) ?? []) {
          lines.push('', ...renderTable(table, columns, style));
        }
      }
      return [...lines, ...log.map((line) => style.dim(fit(harmless(line), columns)))];
    });

  const statusLine = ({ plugin, state, strategy, reason }: PluginStatus, columns: number) => {
    const own = collection?.plugins.find(({ name }) => name === plugin);
    const figures = own
      ? `${pointCount(own.batch)} points in ${formatElapsed(own.durationMs)}`
      : '';
    const words = [plugin, state, strategy, figures, reason].filter((word) => word).join('  ');
    const line = fit(harmless(words), columns);
    return state === 'ok' ? line : style.warn(line);
  };

  draw();
  return {
    collection: (next, current) => {
      [collection, statuses] = [next, current];
      draw();
    },
    event: ({ event, body }) => remember(`${event}: ${body}`),
    log: (line) => remember(line.trimEnd()),
    close: () => screen.close(),
  };

  function remember(line: string) {
    log.push(line);
    log.splice(0, log.length - LOG_LINES);
    draw();
  }
}
