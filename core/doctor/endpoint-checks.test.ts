import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Exporters, type ExportersConfig } from '../config/schema.js';
import { endpointChecks } from './endpoint-checks.js';

const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Received {
  readonly path: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** A backend that answers every request alike, and remembers it. */
async function backend(answer: (response: ServerResponse) => void) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ path: request.url, headers: request.headers, body: Buffer.concat(chunks) });
      answer(response);
    });
  });
  open.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, received, server };
}

const exporters = (otlp: Record<string, unknown>, prometheus: unknown = { enabled: false }) =>
  Exporters.parse({ otlp, prometheus }) as ExportersConfig;
const statusOf = (status: number) => (response: ServerResponse) =>
  void response.writeHead(status).end();

describe('endpoints', () => {
  it('are shown without the key in their query', async () => {
    const { url, received } = await backend(statusOf(401));
    const config = exporters({ default: { endpoint: `${url}/?token=hidden` } });
    const checks = await endpointChecks(config, {}, '1.2.3');
    assert.doesNotMatch(JSON.stringify(checks), /hidden/);
    assert.equal(received[0]?.path?.split('?')[1], 'token=hidden');
  });

  it('get an empty export of each signal, as the agent would send it', async () => {
    const { url, received } = await backend(statusOf(200));
    const config = exporters({
      default: { endpoint: `${url}/otlp`, headers: { 'api-key': 'secret' } },
    });
    const checks = await endpointChecks(config, {}, '1.2.3');
    assert.deepEqual(
      checks.map(({ check, status }) => `${check} ${status}`),
      ['endpoint.default.metrics ok', 'endpoint.default.logs ok', 'endpoint.default.traces ok'],
    );
    assert.match(checks[0]?.value ?? '', new RegExp(`^${url}/otlp/v1/metrics in \\d+ ms$`));
    assert.deepEqual(received.map(({ path }) => path).sort(), [
      '/otlp/v1/logs',
      '/otlp/v1/metrics',
      '/otlp/v1/traces',
    ]);
    for (const { headers, body } of received) {
      assert.equal(headers['api-key'], 'secret');
      assert.equal(headers['content-type'], 'application/x-protobuf');
      assert.equal(gunzipSync(body).length, 0);
    }
    assert(!JSON.stringify(checks).includes('secret'));
  });

  it('get an empty JSON object where JSON is configured', async () => {
    const { url, received } = await backend(statusOf(200));
    const only = { endpoint: url, protocol: 'http/json', compression: 'none', signals: ['logs'] };
    await endpointChecks(exporters({ mine: only }), {}, '1.2.3');
    assert.deepEqual(
      received.map(({ path, body }) => `${path} ${body}`),
      ['/v1/logs {}'],
    );
  });

  const answers: readonly (readonly [number, string, RegExp | undefined])[] = [
    [401, 'fail', /key or token/],
    [404, 'fail', /path/],
    [415, 'fail', /protocol/],
    [500, 'fail', undefined],
    [503, 'warn', undefined],
  ];
  for (const [code, status, hint] of answers) {
    it(`that answer ${code} are a ${status}`, async () => {
      const { url } = await backend(statusOf(code));
      const config = exporters({ default: { endpoint: url, signals: ['metrics'] } });
      const [check] = await endpointChecks(config, {}, '1.2.3');
      assert.equal(check?.status, status);
      assert.match(check?.detail ?? '', new RegExp(`HTTP ${code}`));
      if (hint) assert.match(check?.hint ?? '', hint);
    });
  }

  it('where nothing listens, or that speak no HTTP, say so', async () => {
    const { url, server } = await backend(statusOf(200));
    const gone = await backend(statusOf(200));
    gone.server.close();
    await once(gone.server, 'close');
    const config = exporters({
      refused: { endpoint: gone.url, signals: ['metrics'] },
      plain: { endpoint: url.replace('http:', 'https:'), signals: ['metrics'] },
    });
    const [refused, plain] = await endpointChecks(config, {}, '1.2.3');
    assert.equal(refused?.status, 'fail');
    assert.match(refused?.detail ?? '', /ECONNREFUSED/);
    assert.match(refused?.hint ?? '', /4318/);
    assert.equal(plain?.status, 'fail');
    assert(server.listening);
  });

  it('with credentials in the URL do not show them', async () => {
    const { url } = await backend(statusOf(403));
    const endpoint = url.replace('//', '//user:hunter2@');
    const config = exporters({ default: { endpoint, signals: ['metrics'] } });
    const checks = await endpointChecks(config, {}, '1.2.3');
    assert(!JSON.stringify(checks).includes('hunter2'), JSON.stringify(checks));
  });

  it('with a CA file that cannot be read name it', async () => {
    const tls = { ca_file: '/nowhere/ca.pem' };
    const config = exporters({
      default: { endpoint: 'https://127.0.0.1:1', signals: ['metrics'], tls },
    });
    const [check] = await endpointChecks(config, {}, '1.2.3');
    assert.equal(check?.status, 'fail');
    assert.match(check?.detail ?? '', /tls\.ca_file.*ENOENT/);
  });

  it('none of which is configured are skipped', async () => {
    const [check] = await endpointChecks(exporters({}), {}, '1.2.3');
    assert.equal(check?.status, 'skip');
    assert.match(check?.hint ?? '', /OTEL_EXPORTER_OTLP_ENDPOINT/);
  });
});

describe('the scrape port', () => {
  it('is free, or in use', async () => {
    const { port } = await backend(statusOf(200));
    const check = async (wanted: number) => {
      const config = exporters({}, { host: '127.0.0.1', port: wanted });
      return (await endpointChecks(config, {}, '1.2.3')).find((c) => c.check === 'prometheus');
    };
    assert.equal((await check(port))?.status, 'warn');
    assert.equal((await check(0))?.status, 'ok');
  });
});
