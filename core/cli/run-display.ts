import type { Collection } from '../agent.js';
import type { PluginStatus } from '../plugin.js';
import type { EventRecord, SpanRecord } from '../telemetry/events.js';
import type { PointBatch } from '../telemetry/points.js';
import type { CliContext } from './context.js';
import { eventRecord, isoTime, pointRecords, seconds, spanRecord } from './json.js';
import { RecordOutput } from './record-output.js';

/** What `run` shows of each collection. */
export interface RunDisplay {
  collection(collection: Collection, statuses: readonly PluginStatus[]): void;
  event(event: EventRecord): void;
  /** Where spans are shown. */
  readonly span?: (span: SpanRecord) => void;
  /** Takes the agent's log where it would spoil the display. */
  readonly log?: (line: string) => void;
  close(): void;
}

/** `run --json`: every point, event and span. */
export function jsonDisplay(context: CliContext): RunDisplay {
  const output = new RecordOutput(context);
  return {
    collection: ({ plugins, self }) => {
      const batches = [...plugins.map((plugin) => plugin.batch), ...(self ? [self] : [])];
      output.write(batches.values().flatMap(pointRecords));
    },
    event: (event) => output.write([eventRecord(event)]),
    span: (span) => output.write([spanRecord(span)]),
    close: () => output.close(),
  };
}

/** Off a terminal: one line a collection. */
export function linesDisplay(context: CliContext): RunDisplay {
  const { plugins } = context;
  const output = new RecordOutput(context);
  return {
    collection: (collection, statuses) => {
      const digests = collection.plugins.map(({ name, records }) => {
        const module = plugins.find(({ metadata }) => metadata.name === name);
        return [name, module?.view.digest?.(records)];
      });
      const summaries = statuses.map((status) => [status.plugin, summaryOf(status, collection)]);
      output.write([
        {
          time: isoTime(collection.time),
          collection: collection.number,
          plugins: Object.fromEntries(summaries),
          ...Object.fromEntries(digests),
        },
      ]);
    },
    event: () => undefined,
    close: () => output.close(),
  };
}

function summaryOf(status: PluginStatus, { plugins }: Collection) {
  const { plugin, state, strategy, reason, lacks } = status;
  const own = plugins.find(({ name }) => name === plugin);
  return {
    status: state,
    strategy,
    ...(reason === undefined ? {} : { reason }),
    ...(lacks.length === 0 ? {} : { lacks }),
    points: own ? pointCount(own.batch) : 0,
    duration_seconds: own ? seconds(own.durationMs) : undefined,
  };
}

export const pointCount = ({ metrics }: PointBatch) =>
  metrics.reduce((sum, { scalars, histograms }) => sum + scalars.length + histograms.length, 0);
