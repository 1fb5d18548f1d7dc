import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { Exporters } from '../config/schema.js';
import { MemWatcherError } from '../errors.js';
import { createTelemetry } from './pipeline.js';
import { FakeEndpoint } from './testing/endpoint.js';
import { failures, recordingLogger } from './testing/samples.js';

const directory = mkdtempSync(join(tmpdir(), 'mem-watcher-tls-'));
const file = (name: string) => join(directory, name);
const openssl = (...args: string[]) =>
  execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });

/** An authority, and two certificates that it signed: the endpoint's and a client's. */
before(() => {
  writeFileSync(file('san'), 'subjectAltName=IP:127.0.0.1');
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=test-ca');
  for (const name of ['server', 'client']) {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const authority = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      ...authority,
      '-out',
      `${name}.pem`,
      '-extfile',
      'san',
    );
  }
});
after(() => rmSync(directory, { recursive: true }));

async function attempt(tls: object, mutual = false, env: Record<string, string> = {}) {
  const endpoint = await new FakeEndpoint({
    key: readFileSync(file('server.key')),
    cert: readFileSync(file('server.pem')),
    ca: readFileSync(file('ca.pem')),
    requestCert: mutual,
    rejectUnauthorized: mutual,
  }).listen();
  try {
    return await exportTo(endpoint.url, tls, env);
  } finally {
    await endpoint.close();
  }
}

async function exportTo(url: string, tls: object, env: Record<string, string>) {
  const otlp = { default: { endpoint: url, signals: ['metrics'], tls } };
  const telemetry = await createTelemetry({
    config: Exporters.parse({ otlp, prometheus: { enabled: false } }),
    resource: resourceFromAttributes({}),
    version: '1',
    logger: recordingLogger(),
    env,
    clock: {
      now: Date.now,
      steady: Date.now,
      wait: () => new Promise<void>((resolve) => setImmediate(resolve)),
    },
  });
  telemetry.publish([failures(1)]);
  const done = () => telemetry.outcomes().some(({ sent, retried }) => sent > 0 || retried > 0);
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
  const [outcome] = telemetry.outcomes();
  await telemetry.close();
  return outcome;
}

test('a certificate of an unknown authority is not accepted', async () => {
  const outcome = await attempt({});
  assert.equal(outcome?.sent, 0);
  assert.match(outcome?.lastError ?? '', /certificate/);
});

test('the authority by YAML, and by variable', async () => {
  assert.equal((await attempt({ ca_file: file('ca.pem') }))?.sent, 1);
  const env = { OTEL_EXPORTER_OTLP_CERTIFICATE: file('ca.pem') };
  assert.equal((await attempt({}, false, env))?.sent, 1);
});

test('verification can be skipped', async () => {
  assert.equal((await attempt({ insecure_skip_verify: true }))?.sent, 1);
});

test('an endpoint that wants a client certificate gets it', async () => {
  const ca = { ca_file: file('ca.pem') };
  assert.equal((await attempt(ca, true))?.sent, 0);
  const client = { ...ca, cert_file: file('client.pem'), key_file: file('client.key') };
  assert.equal((await attempt(client, true))?.sent, 1);
});

test('a file that cannot be read stops the start and names the key', async () => {
  await assert.rejects(
    attempt({ ca_file: file('nowhere.pem') }),
    (error) =>
      error instanceof MemWatcherError &&
      error.code === 'CONFIG_INVALID' &&
      error.message.includes('exporters.otlp.default.tls.ca_file'),
  );
});
