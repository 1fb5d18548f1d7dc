import { plainStyle, type Style } from './style.js';
import { fit, harmless, pad, textWidth, wrapText } from './text.js';
import type { Column, Table } from './view.js';

const GAP = 2;
/** A flexible column is not cut below this before other columns are dropped. */
const FLEXIBLE_MIN = 16;
const PROSE_MIN = 30;

/** A table as lines of at most `width` columns; Infinity where nothing is to be cut. */
export function renderTable(table: Table, width: number, style: Style = plainStyle): string[] {
  const rows = table.rows.map((row) => row.map(harmless));
  const shown = layOut(table.columns, rows, width);
  const line = (cells: readonly string[]) =>
    shown
      .map(({ index, width: cell, column }) => pad(cells[index] ?? '', cell, column.align))
      .join(' '.repeat(GAP))
      .trimEnd();
  const lines: string[] = [];
  if (table.title !== undefined) lines.push(style.bold(fit(harmless(table.title), width)));
  if (shown.some(({ column }) => column.title !== '')) {
    lines.push(style.heading(fit(line(table.columns.map(({ title }) => title)), width)));
  }
  for (const row of rows) {
    for (const part of folded(row, shown)) lines.push(fit(line(part), width));
  }
  if (table.footer !== undefined) {
    const prose = table.columns.some(({ wrap }) => wrap);
    const footer = prose ? wrapText(harmless(table.footer), width) : [harmless(table.footer)];
    lines.push(...footer.map((text) => style.dim(fit(text, width))));
  }
  return lines;
}

/** A row as one line, or as several where prose does not fit. */
function folded(row: readonly string[], shown: readonly Shown[]): (readonly string[])[] {
  const cells = new Map(
    shown
      .filter(({ column }) => column.wrap)
      .map(({ index, width }) => [index, wrapText(row[index] ?? '', width)]),
  );
  const height = Math.max(1, ...[...cells.values()].map((lines) => lines.length));
  return Array.from({ length: height }, (_, n) =>
    row.map((cell, index) => cells.get(index)?.[n] ?? (n === 0 && !cells.has(index) ? cell : '')),
  );
}

interface Shown {
  readonly index: number;
  readonly column: Column;
  width: number;
}

/** Which columns fit, and how wide: first the least important go, then the flexible shrink. */
function layOut(columns: readonly Column[], rows: readonly (readonly string[])[], width: number) {
  let shown: Shown[] = columns.map((column, index) => ({
    index,
    column,
    width: rows.reduce(
      (max, row) => Math.max(max, textWidth(row[index] ?? '')),
      textWidth(column.title),
    ),
  }));
  while (least(shown) > width) {
    const lowest = Math.max(...shown.map(({ column }) => column.priority));
    if (lowest === 0) break;
    const drop = shown.findLast(({ column }) => column.priority === lowest);
    shown = shown.filter((candidate) => candidate !== drop);
  }
  shrink(shown, width, floor);
  // Where no column is left to drop, a flexible one gives all it has.
  shrink(shown, width, () => 1);
  return shown;
}

/** Takes from the widest flexible columns, none below its `least`, until all fit. */
function shrink(shown: readonly Shown[], width: number, least: (column: Shown) => number) {
  for (let excess = total(shown) - width; excess > 0; excess--) {
    const widest = shown
      .filter((candidate) => candidate.column.flexible && candidate.width > least(candidate))
      .reduce<Shown | undefined>((a, b) => (a && a.width >= b.width ? a : b), undefined);
    if (!widest) return;
    widest.width--;
  }
}

const floor = ({ column, width }: Shown) => {
  if (!column.flexible) return width;
  return Math.min(width, Math.max(column.wrap ? PROSE_MIN : FLEXIBLE_MIN, textWidth(column.title)));
};

const total = (shown: readonly Shown[]) =>
  shown.reduce((sum, { width }) => sum + width, GAP * Math.max(0, shown.length - 1));

const least = (shown: readonly Shown[]) =>
  shown.reduce((sum, column) => sum + floor(column), GAP * Math.max(0, shown.length - 1));
