import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACTIVITY_FIELDS, MEMORY_FIELDS, type Process } from './process.js';
import { sample } from './sample.js';
import { OTHER, type Selection, SORTS, select, sum } from './select.js';

/** The same numbers every run: a failure can be repeated. */
function* random(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state;
  }
}

function population(count: number, seed: number): Process[] {
  const numbers = random(seed);
  const next = (below: number) => numbers.next().value % below;
  return Array.from({ length: count }, (_, pid) => {
    const figures = Object.fromEntries(
      [...MEMORY_FIELDS, ...ACTIVITY_FIELDS].map((field) => [field, next(50) * 4096]),
    );
    return sample({ pid, executable: `exe-${next(9)}`, ...figures });
  });
}

const series = ({ top, other }: Selection) => (other ? [...top, other] : [...top]);

describe('select', () => {
  it('keeps the sums true and every process in one series, whatever is asked', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const processes = population(seed % 40, seed);
      for (const groupOf of [undefined, ({ executable }: Process) => executable]) {
        const top = seed % 13;
        const sort = SORTS[seed % SORTS.length] ?? 'usage';
        const selection = select(processes, { sort, top, groupOf });
        const all = series(selection);
        assert.deepEqual(sum(all.map(({ figures }) => figures)), sum(processes));
        assert.deepEqual(
          all.flatMap(({ members }) => members.map(({ pid }) => pid)).sort((a, b) => a - b),
          processes.map(({ pid }) => pid),
        );
        if (top > 0) assert.ok(selection.top.length <= top);
        else assert.equal(selection.other, undefined);
        const figures = selection.top.map((selected) => selected.figures[sort]);
        assert.deepEqual(
          figures,
          figures.toSorted((a, b) => b - a),
        );
      }
    }
  });

  it('leaves no larger process among the others', () => {
    const processes = population(500, 7);
    const { top, other } = select(processes, { sort: 'swap', top: 20 });
    const least = Math.min(...top.map(({ figures }) => figures.swap));
    assert.ok(other?.members.every(({ swap }) => swap <= least));
    assert.equal(top.length, 20);
    assert.equal(other?.members.length, 480);
    assert.equal(other?.key, OTHER);
  });

  it('tells apart processes that had the same pid', () => {
    const twice = [sample({ pid: 5, startNs: 1 }), sample({ pid: 5, startNs: 2 })];
    const { top } = select(twice, { sort: 'usage', top: 0 });
    assert.equal(new Set(top.map(({ key }) => key)).size, 2);
  });

  it('selects nothing from nothing', () => {
    assert.deepEqual(select([], { sort: 'usage', top: 5 }), { top: [], other: undefined });
  });
});
