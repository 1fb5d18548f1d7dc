/**
 * What the metadata promises at compile time. Each line below is a mistake: when one becomes
 * possible, the compiler finds its `@ts-expect-error` without an error, and the build fails.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { poolMetadata } from '../test/fakes/plugin.js';
import { type ConfigOf, defineMetadata } from './metadata.js';
import type { Emitter } from './telemetry/events.js';
import type { PointWriter } from './telemetry/points.js';

type PoolMetadata = typeof poolMetadata;
const owner = { 'memwatcher.pool.owner': 'init' } as const;

const withSpan = defineMetadata({
  ...poolMetadata,
  spans: {
    'memwatcher.pool.refill': { description: 'Filling', attributes: ['memwatcher.pool.owner'] },
  },
});

/** Never called: its types are the test. */
export function mistakes(
  out: PointWriter<PoolMetadata>,
  emitter: Emitter<PoolMetadata>,
  spans: Emitter<typeof withSpan>,
  config: ConfigOf<PoolMetadata>,
): void {
  out.point('memwatcher.pool.size', 1, owner);
  // @ts-expect-error: no such metric
  out.point('memwatcher.pool.sise', 1, owner);
  // @ts-expect-error: the attribute is missing
  out.point('memwatcher.pool.size', 1, {});
  // @ts-expect-error: no such attribute
  out.point('memwatcher.pool.size', 1, { ...owner, 'memwatcher.pool.colour': 'red' });
  // @ts-expect-error: the attribute is text
  out.point('memwatcher.pool.size', 1, { 'memwatcher.pool.owner': 1 });
  // @ts-expect-error: a histogram is no point
  out.point('memwatcher.pool.wait', 1, {});
  // @ts-expect-error: no such event
  emitter.event('memwatcher.pool.empty', 'it is empty', owner);
  // @ts-expect-error: the attribute is missing
  emitter.event('memwatcher.pool.exhausted', 'it is empty', {});
  const times = { startTime: 1, endTime: 2 };
  spans.span('memwatcher.pool.refill', { ...times, attributes: owner });
  // @ts-expect-error: no such span
  spans.span('memwatcher.pool.drain', { ...times, attributes: owner });
  // @ts-expect-error: the attribute is missing
  spans.span('memwatcher.pool.refill', { ...times, attributes: {} });
  // @ts-expect-error: no such key
  assert.ok(config.limits);

  defineMetadata({
    ...poolMetadata,
    metrics: {
      'memwatcher.pool.size': {
        ...poolMetadata.metrics['memwatcher.pool.size'],
        // @ts-expect-error: the attribute is not declared
        attributes: ['memwatcher.pool.colour'],
      },
    },
  });
  defineMetadata({
    ...poolMetadata,
    spans: {
      'memwatcher.pool.refill': {
        description: 'Filling',
        // @ts-expect-error: the attribute is not declared
        attributes: ['memwatcher.pool.colour'],
      },
    },
  });
}

test('mistakes with names and attributes do not compile', () => {
  assert.equal(typeof mistakes, 'function');
});
