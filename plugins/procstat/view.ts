import { filterOptions, userFilterOption, wholeNumber } from '../../core/cli/filter-options.js';
import { formatBytes, formatCount } from '../../core/cli/format.js';
import type { Column, Table, View, ViewContext, ViewOption } from '../../core/cli/view.js';
import type { Memory } from './process.js';
import { SORTS } from './select.js';
import type { ProcstatSeries, ProcstatSnapshot } from './snapshot.js';

/** The original's columns, by its names, which `--sort` takes as well. */
const FIGURES = [
  { title: 'VSIZE', figure: 'virtual', priority: 3 },
  { title: 'SIZE', figure: 'peak', priority: 2 },
  { title: 'RSSANON', figure: 'anon', priority: 0 },
  { title: 'RSSFILE', figure: 'file', priority: 1 },
  { title: 'RSSSHMEM', figure: 'shmem', priority: 4 },
  { title: 'VSWAP', figure: 'swap', priority: 5 },
  { title: 'VDATA', figure: 'data', priority: 6 },
  { title: 'VPTE', figure: 'pageTables', priority: 8 },
  { title: 'VSTK', figure: 'stack', priority: 9 },
] as const satisfies readonly { title: string; figure: keyof Memory; priority: number }[];

const COLUMNS: readonly Column[] = [
  { title: 'PID', align: 'right', priority: 0 },
  ...FIGURES.map(({ title, priority }) => ({ title, priority, align: 'right' }) as const),
  { title: 'COMMAND', align: 'left', priority: 0, flexible: true },
  { title: 'CONTAINER', align: 'left', priority: 7 },
];

const OVERVIEW_COLUMNS: readonly Column[] = [
  { title: 'PID', align: 'right', priority: 0 },
  { title: 'RSS', align: 'right', priority: 0 },
  { title: 'RSSANON', align: 'right', priority: 1 },
  { title: 'VSWAP', align: 'right', priority: 2 },
  { title: 'SIZE', align: 'right', priority: 3 },
  { title: 'COMMAND', align: 'left', priority: 0, flexible: true },
];

const OVERVIEW_ROWS = 10;

export const view: View<ProcstatSnapshot> = {
  alias: 'r',
  summary: 'memory of processes: virtual, peak (SIZE), resident by kind, swap, data, page tables',
  options: options(),

  tables(snapshot, context) {
    const shown = snapshot.series.slice(0, context.rows);
    const rows = shown.map((series) => [
      pidOf(series),
      ...FIGURES.map(({ figure }) => formatBytes(series.memory[figure], context.bytes)),
      nameOf(series),
      containerOf(series),
    ]);
    return [{ columns: COLUMNS, rows, ...footer(snapshot, shown.length) }];
  },

  overview(snapshot, context) {
    return [overview(snapshot, context)];
  },

  digest: ({ processes, series }) => ({
    processes,
    largest: series
      .filter((one) => !isOther(one))
      .slice(0, OVERVIEW_ROWS)
      .map(({ attributes, memory }) => ({
        pid: attributes['process.pid'],
        name: attributes['process.executable.name'],
        container: attributes['container.id'],
        usage: memory.usage,
        anon: memory.anon,
        file: memory.file,
        shmem: memory.shmem,
        swap: memory.swap,
        peak: memory.peak,
      })),
  }),
};

function overview(snapshot: ProcstatSnapshot, { rows, bytes }: ViewContext): Table {
  const shown = snapshot.series
    .filter((series) => !isOther(series))
    .slice(0, Math.min(rows, OVERVIEW_ROWS));
  return {
    title: `Processes: ${formatCount(snapshot.processes)}, the largest`,
    columns: OVERVIEW_COLUMNS,
    rows: shown.map((series) => [
      pidOf(series),
      formatBytes(series.memory.usage, bytes),
      formatBytes(series.memory.anon, bytes),
      formatBytes(series.memory.swap, bytes),
      formatBytes(series.memory.peak, bytes),
      nameOf(series),
    ]),
  };
}

const isOther = ({ attributes }: ProcstatSeries) => attributes['memwatcher.process.other'] === true;

function pidOf({ process, members }: ProcstatSeries): string {
  return process ? String(process.pid) : `×${formatCount(members)}`;
}

function nameOf(series: ProcstatSeries): string {
  const { process, attributes } = series;
  if (isOther(series)) return '(others)';
  if (!process) return attributes['process.executable.name'] ?? '';
  const { executable, comm } = process;
  return executable.startsWith(comm) ? executable : `${executable} (${comm})`;
}

function containerOf(series: ProcstatSeries): string {
  return series.attributes['container.id']?.slice(0, 12) ?? '';
}

function footer(snapshot: ProcstatSnapshot, shown: number): { footer?: string } {
  if (snapshot.series.length === 0) {
    const all = formatCount(snapshot.processes);
    return { footer: `none of the ${all} processes with memory of their own fits the filters` };
  }
  const hidden = snapshot.series.length - shown;
  return hidden > 0 ? { footer: `${formatCount(hidden)} more; --top, --sort, --name` } : {};
}

function options(): readonly ViewOption[] {
  const sorts = [...SORTS, ...FIGURES.map(({ title }) => title.toLowerCase())];
  return [
    ...filterOptions,
    userFilterOption,
    {
      flags: '--sort <figure>',
      description: `largest first by ${sorts.join(', ')}`,
      config: (value) => ({ sort: sortOf(String(value)) }),
    },
    {
      flags: '--top <count>',
      description: 'rows before the rest is summed into one; 0: every process',
      config: (value) => ({ top: wholeNumber('--top', String(value), 0) }),
    },
    {
      flags: '--by <what>',
      description: 'one row a process, executable or container',
      config: (value) => ({ by: String(value) }),
    },
  ];
}

function sortOf(text: string): string {
  const column = FIGURES.find(({ title }) => title.toLowerCase() === text.toLowerCase());
  return column?.figure ?? text;
}
