import * as z from 'zod';
import type { Logger } from '../../logger.js';
import { defineMetadata } from '../../metadata.js';
import { type PointBatch, PointBatchBuilder, type PointWriter } from '../points.js';

/** A plugin's metadata with a metric of every kind. */
export const sampleMetadata = defineMetadata({
  name: 'sample',
  title: 'Sample',
  description: 'For tests',
  attributes: {
    zone: { type: 'string', description: 'A zone', optional: true },
    node: { type: 'int', description: 'A node', optional: true },
  },
  metrics: {
    'memwatcher.sample.failures': {
      kind: 'counter',
      unit: '{failure}',
      description: 'Failures',
      attributes: ['zone', 'node'],
    },
    'memwatcher.sample.usage': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Usage',
      attributes: ['zone', 'node'],
    },
    'memwatcher.sample.level': {
      kind: 'gauge',
      unit: 's',
      description: 'A level',
      valueType: 'double',
      attributes: ['zone', 'node'],
    },
    'memwatcher.sample.duration': {
      kind: 'histogram',
      unit: 's',
      description: 'Durations',
      attributes: ['zone', 'node'],
    },
  },
  events: {},
  spans: {},
  config: z.strictObject({}),
});

export const START = 1_800_000_000_000;

export function sampleBatch(
  write: (out: PointWriter<typeof sampleMetadata>) => void,
  time = START + 10_000,
  startTime = START,
): PointBatch {
  const builder = new PointBatchBuilder(sampleMetadata);
  write(builder);
  return builder.build(time, startTime);
}

/** One counter with one point. */
export const failures = (value: number, time?: number): PointBatch =>
  sampleBatch((out) => out.point('memwatcher.sample.failures', value, { zone: 'DMA' }), time);

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: object;
}

export function recordingLogger(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, fields });
  const logger = {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
  };
  return logger;
}
