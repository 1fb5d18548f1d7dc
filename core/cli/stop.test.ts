/** SIGTERM as a container runtime sends it, to a process that has every reason to hang. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { hasProgram } from '../../test/fakes/compiled.js';
import { slowDisk } from '../../test/fakes/slow-disk.js';
import { Agent } from '../config/schema.js';
import { FakeEndpoint } from '../telemetry/testing/endpoint.js';

const script = resolve(import.meta.dirname, '..', '..', 'test', 'fakes', 'stuck-process.js');
/** ms after SIGTERM: docker stop, Kubernetes with a short grace period. */
const KILLED_AFTER = 10_000;
const STATUS = 'memwatcher.agent.plugin.status_change';

type Item = Record<string, unknown>;

const eventsAt = (endpoint: FakeEndpoint): string[] =>
  endpoint.received
    .filter(({ path }) => path === '/v1/logs')
    .flatMap(({ request }) => request.resources as Item[])
    .flatMap((each) => each.scopes as Item[])
    .flatMap((scope) => scope.items as Item[])
    .filter(({ eventName }) => eventName === STATUS)
    .map(({ body }) => String((body as Item).string));

async function withEndpoints(
  test: (working: FakeEndpoint, silent: FakeEndpoint) => Promise<void>,
): Promise<void> {
  const working = await new FakeEndpoint().listen();
  const silent = await new FakeEndpoint().listen();
  silent.answer = () => undefined;
  try {
    await test(working, silent);
  } finally {
    await Promise.all([working.close(), silent.close()]);
  }
}

test('one that hangs everywhere ends before it is killed, and what works is delivered', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-stop-'));
  const file = join(folder, 'agent.yaml');
  await withEndpoints(async (working, silent) => {
    writeFileSync(
      file,
      `interval: 100ms
shutdown_timeout: 4s
exporters:
  prometheus: {enabled: false}
  otlp:
    silent: {endpoint: "${silent.url}"}
    working: {endpoint: "${working.url}"}
`,
    );
    const child = spawn(process.execPath, [script, 'run', '--config', file, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk));
    const ended = once(child, 'exit');
    child.stdout.resume();
    while (!/collecting took longer/.test(stderr)) await once(child.stderr, 'data');
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), KILLED_AFTER);
    assert.deepEqual(await ended, [0, null], stderr);
    clearTimeout(kill);
    assert.match(stderr, /closing the plugin failed/);
    assert.match(stderr, /not delivered in time: .* for silent/);
    assert.ok(eventsAt(working).includes('fine is stopped'), eventsAt(working).join());
  });
  rmSync(folder, { recursive: true });
});

const skip = hasProgram('gcc') ? false : 'gcc is missing, which compiles the slow fsync';

test('one whose disk does not answer ends all the same, and leaves no half of a state', {
  skip,
}, async (t) => {
  const { folder, gate, library } = slowDisk(t);
  const file = join(folder, 'agent.yaml');
  const state = join(folder, 'state');
  writeFileSync(
    file,
    'interval: 100ms\nshutdown_timeout: 2s\nexporters: {prometheus: {enabled: false}, otlp: {}}\n',
  );
  const child = spawn(process.execPath, [script, 'run', '--config', file, '--json'], {
    env: { ...process.env, LD_PRELOAD: library, SLOW_FSYNC_GATE: gate, TEST_STATE: state },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk));
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  child.stdout.resume();
  child.kill('SIGTERM');
  // Nobody opens the gate: without a kill it would wait for ever.
  const kill = setTimeout(() => child.kill('SIGKILL'), KILLED_AFTER);
  const how = await ended;
  clearTimeout(kill);
  assert.match(stderr, /fsync waits/);
  assert.deepEqual(how, [0, null], stderr);
  assert.equal(existsSync(state), false);
});

test('the default leaves a container runtime nothing to kill', () => {
  assert.ok(Agent.parse({}).shutdown_timeout <= 8000);
});
