import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { casesOf } from '../../test/fakes/cases.js';
import { ConfigError } from '../config/problem.js';
import { parseProfile, readProfile } from './profile.js';

const FOLDER = join(import.meta.dirname, '../../../config/kernel');

describe('a kernel profile', () => {
  it('keeps the order, and every key as it is written', () => {
    const profile = parseProfile(
      'demo',
      'demo.yaml',
      `
plugin: demo
strategies:
  - name: first
    summary: the best
    programs: [a, b]
    attach: [a]
    omit_maps: [m]
    needs:
      - btf_field: task_struct.mm
      - not: { kallsyms: old_name }
      - tracepoint: sched_switch
        prototype: [bool, struct task_struct *]
    constants:
      offset: { offset_of: task_struct.mm }
      item: { enumerator: zone_type.ZONE_DMA, otherwise: -1 }
    hooks: { a: renamed }
  - name: second
    summary: the other
    programs: [c]
    manual: true
parts:
  - name: extra
    summary: what else
    lacks: [the figure, the other figure]
    choices:
      - name: by-hook
        summary: how
        programs: [d]
        maps: [own]
        constants: { with_extra: { value: 1 } }
`,
    );
    assert.deepEqual(profile, {
      plugin: 'demo',
      strategies: [
        {
          name: 'first',
          summary: 'the best',
          programs: ['a', 'b'],
          attach: ['a'],
          omit_maps: ['m'],
          needs: [
            { btf_field: 'task_struct.mm' },
            { not: { kallsyms: 'old_name' } },
            { tracepoint: 'sched_switch', prototype: ['bool', 'struct task_struct *'] },
          ],
          constants: {
            offset: { offset_of: 'task_struct.mm' },
            item: { enumerator: 'zone_type.ZONE_DMA', otherwise: -1 },
          },
          hooks: { a: 'renamed' },
        },
        { name: 'second', summary: 'the other', programs: ['c'], manual: true },
      ],
      parts: [
        {
          name: 'extra',
          summary: 'what else',
          lacks: ['the figure', 'the other figure'],
          choices: [
            {
              name: 'by-hook',
              summary: 'how',
              programs: ['d'],
              maps: ['own'],
              constants: { with_extra: { value: 1 } },
            },
          ],
        },
      ],
    });
  });

  it('that is absent is named', () => {
    assert.throws(() => readProfile('/nowhere', 'demo'), {
      code: 'CONFIG_NOT_FOUND',
      message: /\/nowhere\/demo\.yaml/,
    });
  });

  // gfp.yaml has flags, not ways to see; core/memory reads it.
  const isProfile = (name: string) => name.endsWith('.yaml') && name !== 'gfp.yaml';
  for (const file of casesOf(FOLDER, readdirSync(FOLDER).filter(isProfile))) {
    it(`${file} is right`, () => {
      const plugin = basename(file, '.yaml');
      assert.equal(readProfile(FOLDER, plugin).plugin, plugin);
    });
  }
});

describe('a mistake in a profile', () => {
  const strategy = (lines: string) =>
    `strategies:\n  - name: s\n    summary: x\n    programs: [p]\n${lines.replace(/^/gm, '    ')}\n`;
  const part = (lines: string) =>
    `${strategy('')}parts:\n  - name: p\n    summary: x\n${lines.replace(/^/gm, '    ')}\n`;
  const choice = 'choices:\n  - { name: c, summary: x, programs: [p] }';
  const cases: readonly (readonly [what: string, yaml: string, message: RegExp])[] = [
    ['an unknown key', strategy('need: []'), /^demo\.yaml:5:5: .*`strategies\.0\.need`.*`needs`/],
    [
      'an unknown fact',
      strategy('needs:\n  - btf_filed: x'),
      /demo\.yaml:6:9: .*btf_filed.*`btf_field`/,
    ],
    ['an empty fact', strategy('needs:\n  - {}'), /demo\.yaml:6:9: .*is empty: a fact has one of/],
    [
      'two facts in one',
      strategy('needs:\n  - btf_type: x\n    helper: y'),
      /demo\.yaml:6:9: .*has btf_type and helper/,
    ],
    [
      'a prototype of nothing',
      strategy('needs:\n  - btf_type: x\n    prototype: [int]'),
      /only a tracepoint or a function has a prototype/,
    ],
    [
      'a mistake within not',
      strategy('needs:\n  - not: { btf_typo: x }'),
      /demo\.yaml:6:16: .*btf_typo.*`btf_type`/,
    ],
    [
      'no capability',
      strategy('needs:\n  - capability: CAP_COFFEE'),
      /demo\.yaml:6:21: .*is no capability/,
    ],
    [
      'two sources of a constant',
      strategy('constants:\n  c: { value: 1, size_of: x }'),
      /demo\.yaml:6:10: .*has value and size_of/,
    ],
    [
      'attaching what is not loaded',
      strategy('attach: [q]'),
      /demo\.yaml:5:14: .*names q, which is not among/,
    ],
    [
      'a hook of what is not loaded',
      strategy('hooks: { q: f }'),
      /demo\.yaml:5:.*names q, which is not among/,
    ],
    ['no programs', 'strategies:\n  - name: s\n    summary: x\n', /programs.*is missing/],
    [
      'an empty list of programs of a strategy',
      'strategies:\n  - name: s\n    summary: x\n    programs: []\n',
      /demo\.yaml:4:15: .*at least 1/,
    ],
    ['no strategy', 'strategies: []\n', /demo\.yaml:1:13: .*at least 1/],
    ['a name twice', `${strategy('')}  - name: s\n    summary: x\n    programs: [p]\n`, /earlier/],
    ['another plugin', `plugin: other\n${strategy('')}`, /demo\.yaml:1:9: is other/],
    ['a part that lacks nothing', part(`lacks: []\n${choice}`), /demo\.yaml:9:12: .*at least 1/],
    ['a part without choices', part('lacks: [x]\nchoices: []'), /demo\.yaml:10:14: .*at least 1/],
    [
      'a choice twice',
      part(`lacks: [x]\n${choice}\n  - { name: c, summary: x, programs: [q] }`),
      /demo\.yaml:12:17: .*is c, as an earlier choice of this part/,
    ],
    [
      'a part twice',
      `${part(`lacks: [x]\n${choice}`)}  - { name: p, summary: x, lacks: [x], choices: [{ name: c, summary: x, programs: [p] }] }`,
      /demo\.yaml:12:13: .*is p, as an earlier part/,
    ],
    [
      'a choice’s hook of what it does not load',
      part('lacks: [x]\nchoices:\n  - { name: c, summary: x, programs: [p], hooks: { q: f } }'),
      /demo\.yaml:11:.*names q, which is not among its programs/,
    ],
    ['no YAML', 'strategies: [', /^demo\.yaml:1:/],
  ];
  for (const [what, yaml, message] of cases) {
    it(`${what} is shown where it is`, () => {
      assert.throws(
        () => parseProfile('demo', 'demo.yaml', yaml),
        (error: unknown) => {
          assert(error instanceof ConfigError);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }
});
