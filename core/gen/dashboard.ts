/**
 * A Grafana dashboard for a plugin's metrics as Prometheus has them: one panel a metric that is on
 * by default, in the order of the metadata. Printed by `npm run gen` to config/gen.
 */
import type { Metadata, MetricSpec } from '../metadata.js';

const COLUMNS = 2;
const GRID = { width: 24, height: 8 } as const;
const INSTANCE = 'instance=~"$instance"';
/** The quantile that a histogram's panel shows. */
const QUANTILE = 0.99;

const DATA_SOURCE = { type: 'prometheus', uid: '$datasource' };

export function grafanaDashboard({ name, title, description, metrics }: Metadata): object {
  const shown = Object.entries(metrics).filter(([, { enabled }]) => enabled !== false);
  return {
    uid: `mem-watcher-${name}`,
    title: `mem-watcher: ${title}`,
    description,
    tags: ['mem-watcher'],
    schemaVersion: 39,
    editable: true,
    time: { from: 'now-1h', to: 'now' },
    refresh: '30s',
    templating: { list: [dataSourceVariable(), instanceVariable()] },
    panels: shown.map(([metric, spec], index) => panel(metric, spec, index)),
  };
}

function panel(metric: string, spec: MetricSpec, index: number): object {
  const width = GRID.width / COLUMNS;
  return {
    id: index + 1,
    type: 'timeseries',
    title: metric,
    description: spec.description,
    datasource: DATA_SOURCE,
    gridPos: {
      x: (index % COLUMNS) * width,
      y: Math.floor(index / COLUMNS) * GRID.height,
      w: width,
      h: GRID.height,
    },
    fieldConfig: { defaults: { unit: unitOf(spec), min: 0 }, overrides: [] },
    options: { legend: { displayMode: 'table', placement: 'right', calcs: ['lastNotNull'] } },
    targets: [
      {
        refId: 'A',
        datasource: DATA_SOURCE,
        expr: query(metric, spec),
        legendFormat: legend(spec),
      },
    ],
  };
}

function query(metric: string, { kind, attributes }: MetricSpec): string {
  const name = label(metric);
  if (kind === 'counter') return `rate(${name}_total{${INSTANCE}}[$__rate_interval])`;
  if (kind !== 'histogram') return `${name}{${INSTANCE}}`;
  const by = ['le', 'instance', ...attributes.map(label)].join(', ');
  const rate = `rate(${name}_bucket{${INSTANCE}}[$__rate_interval])`;
  return `histogram_quantile(${QUANTILE}, sum by (${by}) (${rate}))`;
}

/** What is short and tells series apart; Grafana leaves out labels that a series lacks. */
function legend({ attributes }: MetricSpec): string {
  const telling = attributes.filter((key) => !/(time|command|command_line|cgroup)$/.test(key));
  return ['instance', ...telling].map((key) => `{{${label(key)}}}`).join(' ');
}

const UNITS: Readonly<Record<string, readonly [level: string, rate: string]>> = {
  By: ['bytes', 'binBps'],
  s: ['s', 'percentunit'],
};

/** Grafana's name of the unit; of a counter its rate is shown. */
function unitOf({ unit, kind }: MetricSpec): string {
  const [level, rate] = UNITS[unit] ?? ['short', 'cps'];
  return kind === 'counter' ? rate : level;
}

/** As the scrape endpoint and a Collector spell names. */
const label = (key: string) => key.replace(/[^a-zA-Z0-9_]+/g, '_');

const dataSourceVariable = () => ({
  name: 'datasource',
  label: 'Data source',
  type: 'datasource',
  query: 'prometheus',
});

/** Every agent has `target_info`, whatever its plugins. */
const instanceVariable = () => ({
  name: 'instance',
  label: 'Host',
  type: 'query',
  datasource: DATA_SOURCE,
  query: 'label_values(target_info, instance)',
  definition: 'label_values(target_info, instance)',
  includeAll: true,
  multi: true,
  refresh: 2,
  current: { text: 'All', value: '$__all' },
});
