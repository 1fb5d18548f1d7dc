import type { Collection } from '../agent.js';
import type { PluginStatus } from '../plugin.js';
import type { EventRecord } from '../telemetry/events.js';
import type { PointBatch } from '../telemetry/points.js';
import type { CliContext } from './context.js';
import { eventRecord, isoTime, jsonLine, pointRecords, seconds } from './json.js';

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
    collection: ({ plugins, self }) => {
      for (const batch of [...plugins.map((plugin) => plugin.batch), ...(self ? [self] : [])]) {
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
      const digests = collection.plugins.map(({ name, records }) => {
        const module = plugins.find(({ metadata }) => metadata.name === name);
        return [name, module?.view.digest?.(records)];
      });
      const summaries = statuses.map((status) => [status.plugin, summaryOf(status, collection)]);
      stdout.write(
        jsonLine({
          time: isoTime(collection.time),
          collection: collection.number,
          plugins: Object.fromEntries(summaries),
          ...Object.fromEntries(digests),
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
    duration_seconds: own ? seconds(own.durationMs) : undefined,
  };
}

export const pointCount = ({ metrics }: PointBatch) =>
  metrics.reduce((sum, { scalars, histograms }) => sum + scalars.length + histograms.length, 0);
