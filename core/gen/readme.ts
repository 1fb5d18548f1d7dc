import {
  exampleText,
  type MetadataDescription,
  type PluginDescription,
  type ProfileDescription,
} from '../description.js';

/** A README with the tables between its markers renewed; the rest is the author's. */
export function renewReadme(readme: string, description: Described): string {
  return readme.replace(
    /(<!-- generated:([a-z]+) -->\n)[\s\S]*?(<!-- \/generated -->)/g,
    (whole, open: string, section: string, close: string) => {
      const table = TABLES[section]?.(description);
      return table === undefined ? whole : `${open}${table}\n${close}`;
    },
  );
}

/** The agent itself has metadata, but neither configuration nor strategies of its own. */
type Described = MetadataDescription & Partial<PluginDescription>;

/** The names that a marker can have. */
export const README_SECTIONS = ['metrics', 'attributes', 'events', 'spans', 'config', 'strategies'];

const TABLES: Readonly<Record<string, (described: Described) => string>> = {
  metrics: ({ metrics, common_attributes: common }) =>
    (common.length > 0 ? `Every metric has ${common.map(code).join(', ')}.\n\n` : '') +
    table(
      [
        'Metric',
        'Kind',
        'Unit',
        common.length > 0 ? 'Also' : 'Attributes',
        'Default',
        'Description',
      ],
      metrics.map(({ name, kind, unit, attributes, enabled, description }) => [
        code(name),
        kind,
        code(unit),
        attributes.map(code).join(', '),
        enabled ? 'on' : 'off',
        description,
      ]),
    ),
  attributes: ({ attributes }) =>
    table(
      ['Attribute', 'Type', 'Values', 'Description'],
      attributes.map(({ name, type, values, example, optional, description }) => [
        code(name),
        type,
        values?.map(code).join(', ') ??
          (example === undefined ? '' : `e.g. ${code(exampleText(example))}`),
        `${description}${optional ? '; absent where unknown' : ''}`,
      ]),
    ),
  events: ({ events }) =>
    table(
      ['Event', 'Severity', 'Attributes', 'Description'],
      events.map(({ name, severity, attributes, description }) => [
        code(name),
        severity,
        attributes.map(code).join(', '),
        description,
      ]),
    ),
  spans: ({ spans }) =>
    table(
      ['Span', 'Attributes', 'Description'],
      spans.map(({ name, attributes, description }) => [
        code(name),
        attributes.map(code).join(', '),
        description,
      ]),
    ),
  config: ({ config = [] }) =>
    table(
      ['Key', 'Type', 'Default', 'Description'],
      config.map(({ key, type, default: value, description }) => [
        code(key),
        type,
        value === undefined ? '' : code(typeof value === 'string' ? value : JSON.stringify(value)),
        description,
      ]),
    ),
  strategies: ({ strategies = [], parts = [], objects = [] }) =>
    [
      strategiesTable({ strategies, parts }),
      ...objects.map((each) => `${code(each.object)}:\n\n${strategiesTable(each)}`),
    ].join('\n\n'),
};

const strategiesTable = ({ strategies, parts }: ProfileDescription): string =>
  table(
    ['Strategy', 'How', 'Needs'],
    strategies.map(({ name, summary, needs, manual }) => [
      code(name),
      manual ? `${summary} (only when configured by name)` : summary,
      needs.map(code).join(', '),
    ]),
  ) + partsTable(parts);

/** One row a choice; what belongs to the part is in the first. */
function partsTable(parts: PluginDescription['parts']): string {
  if (parts.length === 0) return '';
  const rows = parts.flatMap(({ name, summary, lacks, choices }) =>
    choices.map((choice, n) => [
      n === 0 ? code(name) : '',
      n === 0 ? summary : '',
      n === 0 ? lacks.join(', ') : '',
      `${code(choice.name)}: ${choice.summary}`,
      choice.needs.map(code).join(', '),
    ]),
  );
  const head = ['Part', 'What it adds', 'Without it there is no', 'How', 'Needs'];
  return `\n\nBesides, by whatever strategy, where the kernel lets it:\n\n${table(head, rows)}`;
}

const code = (text: string) => `\`${text}\``;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return 'None.';
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replace(/\s+/g, ' ').replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
