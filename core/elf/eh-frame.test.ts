/** Every row of real libraries, as readelf interprets the same frames. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, test } from 'node:test';
import { rowAt, type UnwindRow, UnwindTable } from './eh-frame.js';
import { ElfFile } from './elf-file.js';
import { PT_GNU_EH_FRAME } from './header.js';
import { hasObjdump, LIBRARIES } from './testing/objdump.js';

interface Expected {
  readonly start: number;
  readonly end: number;
  readonly rule: string;
}

/** Rows as readelf prints them, in the words of `ruleText`. */
async function* interpreted(file: string): AsyncGenerator<Expected> {
  const child = spawn('readelf', ['--wide', '--debug-dump=frames-interp', file], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let columns: string[] = [];
  let end = 0;
  let pending: { start: number; rule: string } | undefined;
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const fde = /FDE cie=\S+ pc=[0-9a-f]+\.\.([0-9a-f]+)/.exec(line);
      const cie = /^[0-9a-f]+ [0-9a-f]+ [0-9a-f]+ CIE/.test(line);
      if (fde !== null || cie || line === '') {
        if (pending && pending.start < end) yield { ...pending, end };
        pending = undefined;
        if (cie) end = 0;
        if (fde !== null) {
          end = Number.parseInt(fde[1] ?? '', 16);
          columns = [];
        }
        continue;
      }
      const words = line
        .replaceAll(/ \(\w+\)/g, '')
        .trim()
        .split(/\s+/);
      if (words[0] === 'LOC') columns = words;
      else if (columns.length > 0 && end > 0 && /^[0-9a-f]{16}$/.test(words[0] ?? '')) {
        const start = Number.parseInt(words[0] ?? '', 16);
        if (pending && pending.start < start) yield { ...pending, end: start };
        const of = (name: string) => words[columns.indexOf(name)] ?? 'u';
        pending = { start, rule: ruleOf(of('CFA'), of('rbp'), of('ra')) };
      }
    }
    if (pending) yield { ...pending, end };
  } finally {
    child.kill();
  }
}

function ruleOf(cfa: string, rbp: string, ra: string): string {
  if (ra === 'u') return 'outermost';
  const expressible = /^(rsp|rbp)\+\d+$/.test(cfa) && ra === 'c-8' && /^(u|s|c[+-]\d+)$/.test(rbp);
  return expressible ? `${cfa} ${rbp === 's' ? 'u' : rbp}` : 'inexpressible';
}

function ruleText(row: UnwindRow): string {
  if (row.kind !== 'frame') return row.kind;
  const saved = row.rbp === undefined ? 'u' : `c${row.rbp < 0 ? '' : '+'}${row.rbp}`;
  return `${row.cfa}+${row.offset} ${saved}`;
}

/** A program of which no linker has made a table: its descriptions are sorted here. */
function staticProgram(): string | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-static-'));
  after(() => rmSync(dir, { recursive: true }));
  const program = join(dir, 'static');
  const args = ['-static', '-Wl,--no-eh-frame-hdr', '-O2', '-x', 'c', '-', '-o', program];
  const built = spawnSync('cc', args, { input: 'int main(void) { return 0; }' });
  return built.status === 0 ? program : undefined;
}

const program = staticProgram();
const files = [...LIBRARIES.filter((path) => existsSync(path)), ...(program ? [program] : [])];

test('a static program is among the files', { skip: program ? false : 'needs cc' }, () => {
  const elf = ElfFile.open(program ?? '');
  assert.ok(!elf.segments.some(({ type }) => type === PT_GNU_EH_FRAME));
  elf.close();
});

for (const library of files) {
  const name = library === program ? 'a static program' : library;
  test(`each row of ${name}`, { skip: hasObjdump ? false : 'needs readelf' }, async () => {
    const elf = ElfFile.open(library);
    const table = UnwindTable.of(elf);
    assert.ok(table);
    const kinds = new Map<string, number>();
    let rows = 0;
    for await (const { start, end, rule } of interpreted(library)) {
      for (const address of [start, end - 1]) {
        const row = table.rowAt(address);
        assert.ok(row, `nothing at ${address.toString(16)}`);
        assert.equal(ruleText(row), rule, `at ${address.toString(16)}`);
        assert.ok(row.start <= start && end <= row.end, `${address.toString(16)}`);
      }
      const kind = rule.split(' ')[0]?.replace(/\+.*/, '') ?? '';
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      rows++;
    }
    assert.ok(rows > 500, `${rows}`);
    assert.ok((kinds.get('rsp') ?? 0) > 100);
    // All of them, and in order.
    let last = 0;
    let all = 0;
    for (const row of table.rows()) {
      assert.ok(row.start >= last && row.end > row.start);
      last = row.start;
      all++;
    }
    // readelf prints none where a function's frame never changes.
    assert.ok(all >= rows && all <= rows + table.functions, `${all} of ${rows}`);
    elf.close();
  });
}

describe('what a file says nothing of', {
  skip: existsSync(LIBRARIES[0] ?? '') ? false : 'no libc',
}, () => {
  const elf = ElfFile.open(LIBRARIES[0] ?? '');
  test('has no row', () => {
    assert.equal(rowAt(elf, 0), undefined);
    assert.equal(rowAt(elf, 2 ** 40), undefined);
    assert.equal(rowAt(elf, -1), undefined);
  });
});
