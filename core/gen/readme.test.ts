import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pool } from '../../test/fakes/plugin.js';
import { describePlugin } from '../description.js';
import { renewReadme } from './readme.js';

const description = describePlugin(pool, [
  {
    plugin: 'pool',
    strategies: [
      { name: 'look', summary: 'looks', programs: ['look'], needs: [{ btf_type: 'pool' }] },
      { name: 'ask', summary: 'asks a|b', programs: ['ask'], manual: true },
    ],
    parts: [
      {
        name: 'depth',
        summary: 'how deep it is',
        lacks: ['depth', 'width'],
        choices: [
          { name: 'sound', summary: 'sounds', programs: ['sound'], needs: [{ btf_type: 'line' }] },
          { name: 'dive', summary: 'dives', programs: ['dive'] },
        ],
      },
    ],
  },
]);

const renew = (section: string) =>
  renewReadme(
    `# Pool\n<!-- generated:${section} -->\nold\n<!-- /generated -->\nend\n`,
    description,
  );

test('what stands between the markers is renewed, what stands outside is not', () => {
  assert.equal(
    renew('metrics'),
    [
      '# Pool',
      '<!-- generated:metrics -->',
      '| Metric | Kind | Unit | Attributes | Default | Description |',
      '| --- | --- | --- | --- | --- | --- |',
      '| `memwatcher.pool.size` | updowncounter | `By` | `memwatcher.pool.owner` | on | Memory in the pool |',
      '| `memwatcher.pool.wait` | histogram | `ns` |  | off | Time that a request waited |',
      '<!-- /generated -->',
      'end',
      '',
    ].join('\n'),
  );
  assert.equal(renewReadme(renew('metrics'), description), renew('metrics'));
});

test('the other tables', () => {
  assert.match(
    renew('attributes'),
    /\| `memwatcher\.pool\.owner` \| string \| e\.g\. `init` \| Who holds it \|/,
  );
  assert.match(
    renew('events'),
    /\| `memwatcher\.pool\.exhausted` \| WARN \| `memwatcher\.pool\.owner` \|/,
  );
  assert.match(renew('spans'), /\nNone\.\n/);
  assert.match(renew('config'), /\| `limit` \| size \| `1MiB` \| where the pool ends \|/);
  assert.match(renew('strategies'), /\| `look` \| looks \| `btf type pool` \|/);
  assert.match(
    renew('strategies'),
    /\| `ask` \| asks a\\\|b \(only when configured by name\) \| {2}\|/,
  );
  assert.match(
    renew('strategies'),
    /\| `depth` \| how deep it is \| depth, width \| `sound`: sounds \| `btf type line` \|\n\| {2}\| {2}\| {2}\| `dive`: dives \| {2}\|/,
  );
});

test('a marker of another name is left alone', () => {
  assert.match(renew('prices'), /\nold\n/);
});
