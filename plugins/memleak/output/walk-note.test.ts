import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StrategyReport, StrategyVerdict } from '../../../core/kernel/kernel.js';
import { walkNote } from './walk-note.js';

const rejected = (strategy: string, ...reasons: string[]): StrategyVerdict => ({
  strategy,
  outcome: 'rejected',
  reasons,
});
const report = (chosen: string | undefined, ...verdicts: StrategyVerdict[]): StrategyReport => ({
  plugin: 'memleak',
  chosen: 'uprobe-session',
  verdicts: [],
  parts: [{ part: 'walk', chosen, verdicts }],
});

test('names the walk and what refused the better ones, in one line', () => {
  const verdicts = [
    rejected('for-each', 'lacks BPF helper bpf_for_each_map_elem'),
    {
      ...rejected('iterator', 'the kernel refused program iterate_live: EPERM\n4: (b7) r3 = 0'),
      refused: 'BPF programs of type iter/bpf_map_elem (EPERM)',
    },
  ];
  assert.equal(
    walkNote(report('lookups', ...verdicts)),
    'memleak walks live allocations by lookups: no for-each, lacks BPF helper bpf_for_each_map_elem; ' +
      'no iterator, the kernel refused BPF programs of type iter/bpf_map_elem (EPERM)',
  );
});

test('leaves out what the verifier printed', () => {
  const verdicts = [rejected('for-each', 'the kernel refused program each_live\n4: (b7) r3 = 0')];
  assert.equal(
    walkNote(report('iterator', ...verdicts)),
    'memleak walks live allocations by iterator: no for-each, the kernel refused program each_live',
  );
});

test('says nothing where the best walk is taken, or no walk was loaded', () => {
  assert.equal(walkNote(report('for-each')), undefined);
  assert.equal(walkNote(report(undefined, rejected('for-each', 'x'))), undefined);
  assert.equal(walkNote({ ...report('for-each'), parts: [] }), undefined);
});
