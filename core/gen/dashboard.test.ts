/** Dashboards ask for what the scrape endpoint says, by its own spelling. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { Metadata } from '../metadata.js';
import { toScopeMetrics } from '../telemetry/metric-data.js';
import { type PointBatch, PointBatchBuilder } from '../telemetry/points.js';
import { prometheusText } from '../telemetry/prometheus-text.js';
import { selfMetadata } from '../telemetry/self.metadata.js';
import { sampleMetadata } from '../telemetry/testing/samples.js';
import { grafanaDashboard } from './dashboard.js';

interface Panel {
  readonly title: string;
  readonly fieldConfig: { readonly defaults: { readonly unit: string } };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}
const panelsOf = (metadata: Metadata) =>
  (grafanaDashboard(metadata) as { readonly panels: readonly Panel[] }).panels;

/** One point of every metric with every attribute, as it is scraped. */
function scraped(metadata: Metadata): string {
  const builder = new PointBatchBuilder(metadata, () => true);
  for (const [name, { kind, attributes }] of Object.entries(metadata.metrics)) {
    const values = Object.fromEntries(attributes.map((key) => [key, 'x']));
    if (kind === 'histogram')
      builder.histogram(name, { count: 1, sum: 1, zeroCount: 0, offset: 0, buckets: [1] }, values);
    else builder.point(name, 1, values);
  }
  const batch: PointBatch = builder.build(2000, 1000);
  const scopeMetrics = [toScopeMetrics(batch, '1', 'cumulative')];
  return prometheusText({ resource: resourceFromAttributes({}), scopeMetrics });
}

for (const metadata of [sampleMetadata, selfMetadata] as const) {
  test(`${metadata.name}: every query names a metric and labels that are scraped`, () => {
    const text = scraped(metadata);
    const panels = panelsOf(metadata);
    assert.deepEqual(
      panels.map(({ title }) => title),
      Object.keys(metadata.metrics),
    );
    for (const { targets, title } of panels) {
      for (const { expr, legendFormat } of targets) {
        const [, name = ''] = /([a-z_]+)\{instance=~"\$instance"\}/.exec(expr) ?? [];
        const line = text.split('\n').find((line) => line.startsWith(`${name}{`));
        assert(line, `${title}: ${name} is not scraped`);
        const labels = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, key]) => key);
        for (const key of labels.filter((key) => key !== 'instance')) {
          assert(line.includes(`${key}="`), `${title}: ${name} has no label ${key}`);
        }
      }
    }
  });
}

test('levels, rates and quantiles, each in its unit, side by side', () => {
  const panels = panelsOf(sampleMetadata);
  assert.deepEqual(
    panels.map(({ targets, fieldConfig }) => [targets[0]?.expr, fieldConfig.defaults.unit]),
    [
      ['rate(memwatcher_sample_failures_total{instance=~"$instance"}[$__rate_interval])', 'cps'],
      ['memwatcher_sample_usage{instance=~"$instance"}', 'bytes'],
      ['memwatcher_sample_level{instance=~"$instance"}', 's'],
      [
        'histogram_quantile(0.99, sum by (le, instance, zone, node) ' +
          '(rate(memwatcher_sample_duration_bucket{instance=~"$instance"}[$__rate_interval])))',
        's',
      ],
    ],
  );
  assert.deepEqual(
    panels.map(({ gridPos: { x, y } }) => [x, y]),
    [
      [0, 0],
      [12, 0],
      [0, 8],
      [12, 8],
    ],
  );
});
