import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { FakeWorld } from '../../test/fakes/cli.js';
import { runCli } from './cli.js';
import { RunTable } from './run-table.js';
import { Screen } from './screen.js';

const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-screen-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'agent.yaml');
writeFileSync(file, 'interval: 100ms\n');

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';

function terminal(env: Record<string, string> = {}) {
  const world = new FakeWorld(folder, { env: { MEM_WATCHER_CONFIG: file, ...env } });
  world.stdout.isTTY = true;
  return world;
}

/** The lines that the terminal shows after the last redraw. */
const page = (text: string) =>
  stripVTControlCharacters(text.split('\x1b[H').at(-1) ?? '').split('\r\n');

test('a page is entered, redrawn when the terminal changes, and left as it was found', () => {
  const { stdout, context } = terminal();
  const screen = new Screen(context);
  screen.draw((columns, rows) => [`${columns}x${rows}`]);
  assert.deepEqual(page(stdout.text), ['80x24']);
  stdout.resize(40, 10);
  assert.deepEqual(page(stdout.text), ['40x10']);
  screen.close();
  screen.close();
  assert.ok(stdout.text.startsWith(ENTER));
  assert.ok(stdout.text.endsWith(`${LEAVE}40x10\n`));
  const { length } = stdout.text;
  stdout.resize(80, 24);
  screen.draw(() => ['late']);
  assert.equal(stdout.text.length, length);
});

test('a page that is too long says so in its last line', () => {
  const { stdout, context } = terminal();
  stdout.rows = 3;
  new Screen(context).draw(() => ['a', 'b', 'c', 'd']);
  assert.deepEqual(page(stdout.text), ['a', 'b', '… 2 more lines; enlarge the terminal']);
});

test('a crash gives the terminal back', () => {
  const world = terminal();
  new Screen(world.context).draw(() => ['x']);
  world.exit();
  assert.ok(world.stdout.text.includes(LEAVE));
});

test('run on a terminal: the statuses, the endpoints and each overview, then the terminal back', async () => {
  const world = terminal();
  const code = runCli(['run'], world.context);
  await world.stdout.until(/8192/);
  const lines = page(world.stdout.text);
  world.interrupt();
  assert.equal(await code, 0);
  assert.match(lines[0] ?? '', /^mem-watcher .* collection 2/);
  assert.match(lines[1] ?? '', /scrape http:\/\/127\.0\.0\.1:9464\/metrics {2}OTLP off/);
  assert.match(lines[2] ?? '', /^pool {2}ok/);
  assert.deepEqual(lines.slice(3, 7), ['', 'Pool', 'SIZE', '8192']);
  assert.ok(world.stdout.text.includes(LEAVE));
  assert.ok(
    !world.stdout.text.slice(world.stdout.text.indexOf(LEAVE) + LEAVE.length).includes('\x1b[H'),
  );
});

test('what is logged after the table has gone is not lost', () => {
  const world = terminal();
  const { config } = world.context.loadConfig({ file });
  const table = new RunTable(world.context, config);
  table.log('12:00:00 WARN  while it ran\n');
  assert.equal(world.stderr.text, '');
  table.close();
  table.log('12:00:01 ERROR flushing failed: \x1b[2J\n');
  assert.equal(world.stderr.text, '12:00:01 ERROR flushing failed: \\x1b[2J\n');
});

test('a live view on a terminal is drawn in place; --once and TERM=dumb are plain', async () => {
  const world = terminal();
  assert.equal(await runCli(['pool', '--count', '2', '-i', '0.1'], world.context), 0);
  assert.ok(world.stdout.text.startsWith(ENTER));
  const once = terminal({ NO_COLOR: '1' });
  assert.equal(await runCli(['pool', '--once'], once.context), 0);
  assert.equal(once.stdout.text, 'SIZE  OWNER\n4096  init\n');
  const dumb = terminal({ TERM: 'dumb' });
  assert.equal(await runCli(['pool', '--count', '1'], dumb.context), 0);
  assert.ok(!dumb.stdout.text.includes('\x1b'));
});

test('NO_COLOR leaves only what moves the cursor', async () => {
  const world = terminal({ NO_COLOR: '1' });
  await runCli(['pool', '--count', '1', '-i', '0.1'], world.context);
  assert.doesNotMatch(world.stdout.text, /\[[0-9;]*m/);
});

test('a terminal that says it is 0 by 0 is drawn as one of 80 by 24', async () => {
  const world = terminal();
  [world.stdout.columns, world.stdout.rows] = [0, 0];
  await runCli(['pool', '--count', '1', '-i', '0.1'], world.context);
  assert.match(world.stdout.text, /4096/);
});
