/** A block that is lost now and then is confirmed within seconds; a cache that fills is not. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { programMissing, programOf } from '../../../test/fakes/programs.js';
import { Reading } from './testing/reading.js';

interface StackLine {
  readonly state: string;
  readonly kind: string | null;
  readonly lost_allocations: number | null;
  readonly allocations: number;
  readonly confidence: number | null;
  readonly coverage: number;
  readonly frames: readonly { readonly function: string | null }[];
}

const skip =
  process.getuid?.() === 0
    ? (programMissing('losing') ?? false)
    : 'root is needed to probe the functions of others';

suite('what is lost', { skip, concurrency: 3 }, () => {
  const watched = async (
    t: Parameters<typeof Reading.of>[0],
    how: string,
    where: string,
    ...args: string[]
  ) => {
    const target = Reading.of(t, programOf('losing'), [how]);
    await target.until(/ready/);
    const cli = Reading.cli(t, 'leaks', '--pid', String(target.pid), '-f', 'json', ...args);
    assert.equal(await cli.closed, 0, cli.errors);
    const lines = cli.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as StackLine);
    const stack = lines.find(({ frames }) => frames?.[0]?.function === where);
    assert.ok(stack, cli.text + cli.errors);
    return { stack, errors: cli.errors };
  };

  test('is confirmed in ten seconds, as it runs', async (t) => {
    const { stack, errors } = await watched(t, 'lose', 'lose', '-d', '10s');
    assert.deepEqual([stack.state, stack.kind], ['confirmed', 'lost'], errors);
    assert.ok((stack.lost_allocations ?? 0) >= 3);
  });

  test('is all that is lost, to the block, while it stands still', async (t) => {
    const { stack, errors } = await watched(t, 'lose', 'lose', '-d', '3s', '--pause');
    assert.match(errors, /held still for \d+ ms/);
    assert.deepEqual([stack.state, stack.kind], ['confirmed', 'lost'], errors);
    // The last one may still be on its way to be lost.
    assert.ok((stack.lost_allocations ?? 0) >= stack.allocations - 1, JSON.stringify(stack));
  });

  test('is confirmed where most allocations found no room, and are missed', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-missed-'));
    t.after(() => rmSync(dir, { recursive: true }));
    const config = join(dir, 'agent.yaml');
    writeFileSync(config, 'plugins: { memleak: { max_allocations: 1024 } }\n');
    const { stack, errors } = await watched(t, 'hoard', 'lose', '-d', '10s', '--config', config);
    assert.ok(stack.coverage < 0.5, `${stack.coverage}`);
    assert.deepEqual(
      [stack.state, stack.kind, stack.confidence],
      ['confirmed', 'lost', 0.99],
      errors,
    );
  });

  test('is nothing of what is in a table, however it grows', async (t) => {
    const { stack, errors } = await watched(t, 'fill', 'fill', '-d', '10s', '--scan');
    assert.notEqual(stack.state, 'confirmed', errors);
    assert.equal(stack.lost_allocations, 0, errors);
  });
});

suite('who is not seen to the end', { skip, concurrency: 2 }, () => {
  test('one of two targets ends: it is reported once, with what it held', async (t) => {
    const [first, second] = [0, 1].map(() => Reading.of(t, programOf('losing'), ['fill']));
    assert.ok(first && second);
    await Promise.all([first.until(/ready/), second.until(/ready/)]);
    const pids = [first, second].map(({ pid }) => String(pid));
    const cli = Reading.cli(t, 'leaks', '--pid', ...pids, '--live', '--interval', '500ms');
    const rows = (pid: string) => {
      const watched = cli.text.slice(cli.text.lastIndexOf('Watched')).split('\n\n')[0] ?? '';
      return watched.split('\n').filter((line) => line.trim().startsWith(`${pid} `));
    };
    const areHeld = () => pids.every((pid) => rows(pid).some((row) => !/ 0 B /.test(row)));
    await cli.reaches('both hold something', areHeld);
    first.child.kill('SIGTERM');
    await cli.reaches('it is told that one ended', () => /ended/.test(cli.text));
    cli.child.kill('SIGINT');
    assert.equal(await cli.closed, 0, cli.errors);
    for (const pid of pids) {
      assert.equal(rows(pid).length, 1, cli.text);
      assert.doesNotMatch(rows(pid)[0] ?? '', / 0 B /, cli.text);
    }
  });

  test('a target that costs too much: what was seen until then, a reason and an exit code', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-limit-'));
    t.after(() => rmSync(dir, { recursive: true }));
    const config = join(dir, 'agent.yaml');
    writeFileSync(config, 'plugins: { memleak: { limit: 0.01 } }\n');
    const target = Reading.of(t, programOf('losing'), ['hurry']);
    await target.until(/ready/);
    const args = ['--config', config, '--pid', String(target.pid), '-d', '8s', '--once'];
    const cli = Reading.cli(t, 'leaks', ...args);
    assert.equal(await cli.closed, 1, cli.text + cli.errors);
    assert.match(
      cli.errors,
      /losing \(\d+\) is paused, as tracing it costs more than `budget` or `limit` allows/,
    );
    const row = new RegExp(`^ *${target.pid} +losing +\\S+ \\S+ +\\d+ .*$`, 'm').exec(
      cli.text,
    )?.[0];
    assert.ok(row && !/ 0 B /.test(row), cli.text);
    assert.match(cli.text, /it is not watched for a while, as it costs too much/);
  });

  test('a target with too many hits for the budget: a leak is found in its turn, then it is paused', async (t) => {
    const target = Reading.of(t, programOf('losing'), ['serve']);
    await target.until(/ready/);
    const args = ['--pid', String(target.pid), '-d', '90s', '--once'];
    const cli = Reading.cli(t, 'leaks', ...args);
    await cli.until(/traced in turns/);
    cli.child.kill('SIGINT');
    assert.equal(await cli.closed, 1, cli.text + cli.errors);
    assert.match(cli.text, /traced in turns, now paused for \d+ s: .*above the budget of 5\.0 %/);
    assert.match(cli.text, /^confirmed +lost .* lose$/m, cli.text + cli.errors);
  });
});
