import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderTable } from './table.js';
import { textWidth } from './text.js';
import type { Table } from './view.js';

const processes: Table = {
  title: 'Processes',
  columns: [
    { title: 'PID', align: 'right', priority: 0 },
    { title: 'SIZE', align: 'right', priority: 0 },
    { title: 'STACK', align: 'right', priority: 5 },
    { title: 'SWAP', align: 'right', priority: 3 },
    { title: 'COMMAND', align: 'left', priority: 0, flexible: true },
  ],
  rows: [
    ['1', '12 MiB', '132 KiB', '0 B', 'systemd --switched-root'],
    ['4711', '1.5 GiB', '132 KiB', '8 MiB', 'postgres'],
  ],
  footer: '2 more',
};

test('numbers stand right, text left, and nothing is cut where there is room', () => {
  assert.deepEqual(renderTable(processes, Number.POSITIVE_INFINITY), [
    'Processes',
    ' PID     SIZE    STACK   SWAP  COMMAND',
    '   1   12 MiB  132 KiB    0 B  systemd --switched-root',
    '4711  1.5 GiB  132 KiB  8 MiB  postgres',
    '2 more',
  ]);
});

test('a narrow terminal loses the least important column first, then flexible text', () => {
  assert.deepEqual(renderTable(processes, 40).slice(1, 4), [
    ' PID     SIZE   SWAP  COMMAND',
    '   1   12 MiB    0 B  systemd --switche…',
    '4711  1.5 GiB  8 MiB  postgres',
  ]);
  assert.equal(renderTable(processes, 25)[1], ' PID     SIZE  COMMAND');
});

test('no line is ever wider than the terminal', () => {
  for (let width = 1; width < 70; width++) {
    for (const line of renderTable(processes, width)) assert.ok(textWidth(line) <= width);
  }
});

test('a hostile name cannot reach the terminal', () => {
  const hostile = {
    ...processes,
    rows: [['1', '', '', '', '\x1b[2J\nfake row']],
    title: '\x1b[2J',
  };
  const text = renderTable(hostile, 80).join('');
  assert.doesNotMatch(text, /\p{Cc}/u);
  assert.match(text, /\\x1b\[2J\\nfake row/);
});

test('prose goes on in the next line', () => {
  const prose: Table = {
    columns: [
      { title: 'KEY', align: 'left', priority: 0 },
      { title: 'MEANING', align: 'left', priority: 0, flexible: true, wrap: true },
    ],
    rows: [
      ['interval', 'time between two collections'],
      ['log', 'short'],
    ],
  };
  assert.deepEqual(renderTable(prose, 24), [
    'KEY       MEANING',
    'interval  time between',
    '          two',
    '          collections',
    'log       short',
  ]);
});
