import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeWorld } from '../../test/fakes/cli.js';
import { pool } from '../../test/fakes/plugin.js';
import { expandAliases } from './aliases.js';
import { runCli } from './cli.js';
import type { PluginCommand } from './plugin-command.js';

const well = {
  ...pool,
  metadata: { ...pool.metadata, name: 'well' },
  view: { ...pool.view, alias: 'w' },
};
const expand = (line: string) =>
  expandAliases(line.split(' ').filter(Boolean), [pool, well]).join(' ');

for (const [line, meant] of [
  ['-o', 'pool'],
  ['--pool', 'pool'],
  ['-o -P 42', 'pool --pid 42'],
  ['-P 42 -o', 'pool --pid 42'],
  ['-o -P42 --json', 'pool --pid 42 --json'],
  ['--pool=42', 'pool --pid 42'],
  ['-o -o', 'pool'],
  ['run -o', 'run -o'],
  ['pool -P 42', 'pool --pid 42'],
  ['--help', '--help'],
  ['-V', '-V'],
  ['', ''],
] as const) {
  test(`${line || 'nothing'} is ${meant || 'nothing'}`, () => assert.equal(expand(line), meant));
}

test('two tools at once, and a tool that is not here, are told', () => {
  assert.throws(() => expand('-o -w'), /-o and -w: one tool at a time/);
  assert.throws(() => expand('-a'), /no tool here goes by -a; there are -o \(pool\), -w \(well\)/);
  assert.throws(() => expand('-l 42'), /no tool here goes by -l/);
});

test('-P is for tools that look at processes, in the help as well', async () => {
  const host = { ...well, view: { ...well.view, options: [] } };
  const argv = (line: string) => () => expandAliases(line.split(' '), [pool, host]);
  for (const line of ['-w -P 42', '-w -P42', '--well=42', 'well -P 42']) {
    assert.throws(argv(line), { message: 'well looks at no process', hint: '-P goes with pool' });
  }
  assert.deepEqual(argv('-w --json')(), ['well', '--json']);
  const world = new FakeWorld('/', { plugins: [pool, host] });
  assert.equal(await runCli(['--help'], world.context), 0);
  assert.match(world.stdout.text, /^ {2}-o, --pool \[-P PID\] +the same as: pool \[--pid PID\]$/m);
  assert.match(world.stdout.text, /^ {2}-w, --well +the same as: well$/m);
});

test("a plugin's command may take the flag of the original, with a process", async () => {
  const dig: PluginCommand = {
    name: 'dig',
    summary: 'dig a well',
    description: 'Digs a well.',
    options: [
      { flags: '--pid <pid>', description: 'where' },
      { flags: '--map <file>', description: 'what is known of the ground' },
      { flags: '--deep <how>', description: 'how deep', choices: ['little', 'very'] },
    ],
    epilog: 'It ends when there is water.',
    original: (pid) => ['--deep', 'very', ...(pid === undefined ? [] : ['--pid', pid])],
    run: async (options, { stdout }) => {
      stdout.write(JSON.stringify(options));
      return 7;
    },
  };
  const digger = { ...well, commands: [dig] };
  const argv = (line: string) => expandAliases(line.split(' '), [pool, digger]).join(' ');
  for (const line of ['-w 42', '-w42', '--well=42', '--well 42']) {
    assert.equal(argv(line), 'dig --deep very --pid 42', line);
  }
  assert.equal(argv('-w -P 42'), 'dig --deep very --pid 42');
  assert.equal(argv('-P42 -w'), 'dig --deep very --pid 42');
  assert.equal(argv('--once -w 42 --map x'), 'dig --deep very --pid 42 --once --map x');
  assert.equal(argv('-w'), 'dig --deep very');
  assert.equal(argv('well -P 42'), 'well --pid 42', 'the view stays what it is');
  const world = new FakeWorld('/', { plugins: [pool, digger] });
  assert.equal(await runCli(['-w', '42'], world.context), 7);
  assert.deepEqual(JSON.parse(world.stdout.text), { deep: 'very', pid: '42' });
  world.stdout.text = '';
  assert.equal(await runCli(['--help'], world.context), 0);
  assert.match(
    world.stdout.text,
    /^ {2}-w PID, --well=PID +the same as: dig --deep very --pid PID$/m,
  );
  assert.match(world.stdout.text, /^ {2}dig \[options\] +dig a well$/m);
  assert.equal(await runCli(['completion', 'bash'], world.context), 0);
  assert.match(world.stdout.text, /\[ "\$previous" = --map \]/);
  assert.match(world.stdout.text, /^ {6}dig\) words='--pid --map --deep/m);
  assert.equal(await runCli(['dig', '--deep', 'somewhat'], world.context), 2);
});
