import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createSupervisor, type Foundation } from './compose.js';
import { Agent as AgentSchema } from './config/schema.js';
import { findInstallation } from './install.js';

const foundation: Foundation = {
  installation: findInstallation(import.meta.url),
  plugins: [],
  build: () => {
    throw new Error('there is no plugin to build');
  },
};

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const config = (port: number, btf?: string) => ({
  ...AgentSchema.parse({ exporters: { prometheus: { port } }, kernel: { btf } }),
  plugins: {},
});

test('a reload that is refused for its kernel BTF gives its new port back', async () => {
  const [first, second] = [await freePort(), await freePort()];
  const lines: string[] = [];
  const supervisor = createSupervisor(foundation, config(first), {
    log: (line) => lines.push(line),
  });
  await supervisor.start(config(first));
  try {
    assert.equal(await supervisor.reload(() => config(second, '/nonexistent')), false);
    assert.match(lines.join(''), /nonexistent/);
    await assert.rejects(fetch(`http://127.0.0.1:${second}/metrics`));
    assert.equal(await supervisor.reload(() => config(second)), true);
    assert.equal((await fetch(`http://127.0.0.1:${second}/metrics`)).status, 200);
  } finally {
    await supervisor.stop();
  }
});

test('a reload reads certificates that were renewed under the same name', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-compose-'));
  const file = join(folder, 'ca.pem');
  const exporters = {
    otlp: { default: { endpoint: 'https://127.0.0.1:1', tls: { ca_file: file } } },
    prometheus: { enabled: false },
  };
  const secured = { ...AgentSchema.parse({ exporters }), plugins: {} };
  writeFileSync(file, 'first');
  const lines: string[] = [];
  const supervisor = createSupervisor(foundation, secured, { log: (line) => lines.push(line) });
  await supervisor.start(secured);
  try {
    assert.equal(await supervisor.reload(() => secured), true);
    rmSync(file);
    assert.equal(await supervisor.reload(() => secured), false);
    assert.match(lines.join(''), /tls.ca_file cannot be read/);
    writeFileSync(file, 'second');
    assert.equal(await supervisor.reload(() => secured), true);
  } finally {
    await supervisor.stop();
    rmSync(folder, { recursive: true });
  }
});
