/** The command line as a process: what only signals, pipes and exit codes can show. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const script = resolve(import.meta.dirname, '..', '..', 'test', 'fakes', 'cli-process.js');
const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-process-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'agent.yaml');
writeFileSync(file, 'interval: 100ms\nshutdown_timeout: 100s\n');

function start(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [script, ...args, '--config', file], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output.stderr += chunk;
  });
  return { child, output };
}

async function until({ child, output }: ReturnType<typeof start>, pattern: RegExp) {
  const ended = once(child, 'close');
  while (!pattern.test(output.stdout)) {
    const more = await Promise.race([once(child.stdout, 'data').then(() => true), ended]);
    assert.ok(more === true || pattern.test(output.stdout), `it ended: ${output.stderr}`);
  }
}

async function exitOf(child: ChildProcess): Promise<[number | null, string | null]> {
  if (child.exitCode !== null || child.signalCode !== null)
    return [child.exitCode, child.signalCode];
  return (await once(child, 'exit')) as [number | null, string | null];
}

/** Sends the signals until the process ends. */
async function repeat(child: ChildProcess, ...signals: readonly NodeJS.Signals[]): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) {
    for (const signal of signals) child.kill(signal);
    await sleep(20);
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} ends run and a live view with 0, with a last collection`, async () => {
    for (const command of ['run', 'pool']) {
      const run = start([command, '--json', ...(command === 'pool' ? ['-i', '0.1'] : [])]);
      await until(run, /8192/);
      run.child.kill(signal);
      assert.deepEqual(await exitOf(run.child), [0, null], command);
      for (const line of run.output.stdout.trimEnd().split('\n')) JSON.parse(line);
    }
  });
}

test('a second Ctrl-C ends what hangs with 130', async () => {
  const run = start(['run', '--json'], { TEST_STUCK: '1' });
  await until(run, /4096/);
  run.child.kill('SIGINT');
  // One that comes at once is npm's echo of the first, and is not counted: again until it is.
  await repeat(run.child, 'SIGINT');
  assert.deepEqual(await exitOf(run.child), [130, null]);
});

test('a reader that goes away ends it quietly', async () => {
  const run = start(['run', '--json']);
  await until(run, /4096/);
  run.child.stdout.destroy();
  assert.deepEqual(await exitOf(run.child), [0, null]);
  assert.equal(run.output.stderr, '');
});

test('SIGHUP reloads and does not end it', async () => {
  const run = start(['run', '--json']);
  await until(run, /"init"/);
  writeFileSync(file, 'interval: 100ms\nplugins: {pool: {owners: [second]}}\n');
  run.child.kill('SIGHUP');
  await until(run, /"second"/);
  run.child.kill('SIGINT');
  assert.deepEqual(await exitOf(run.child), [0, null]);
});

test('a full disk under stdout is said, and is exit code 1', () => {
  for (const command of [['pool', '--json', '--once'], ['run', '--json'], ['plugins']]) {
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [script, ...command], {
      encoding: 'utf8',
      env: { ...process.env, MEM_WATCHER_CONFIG: file },
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    assert.equal(status, 1, command.join(' '));
    assert.match(stderr, /^mem-watcher: cannot write to stdout: ENOSPC.*\n$/);
  }
});

test('a SIGHUP while it ends does not cut the end short', async () => {
  const run = start(['run', '--json'], { TEST_STUCK: '1' });
  await until(run, /4096/);
  run.child.kill('SIGTERM');
  await repeat(run.child, 'SIGHUP', 'SIGINT');
  assert.deepEqual(await exitOf(run.child), [130, null]);
});

test('wrong usage is exit code 2, and says so on stderr alone', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, 'pool', '--nope'], {
    encoding: 'utf8',
  });
  assert.equal(status, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /unknown option '--nope'/);
});

test('off a terminal nothing moves a cursor', () => {
  const args = [script, 'pool', '--count', '1', '--config', file];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(status, 0);
  assert.ok(!stdout.includes('\x1b'));
});
