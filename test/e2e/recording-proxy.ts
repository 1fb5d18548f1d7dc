import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RecordedRequest {
  readonly path: string;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  readonly bytes: number;
  readonly status: number;
}

/** Stands before a Collector and notes what was really sent: the Collector takes any encoding. */
export class RecordingProxy {
  readonly requests: RecordedRequest[] = [];
  readonly #server: Server;

  private constructor(target: string) {
    this.#server = createServer(async (incoming, outgoing) => {
      const body = await bodyOf(incoming);
      const onward = request(new URL(incoming.url ?? '/', target), {
        method: incoming.method,
        headers: incoming.headers,
      });
      onward.on('error', () => outgoing.writeHead(502).end());
      onward.on('response', (response) => {
        const status = response.statusCode ?? 0;
        this.requests.push({
          path: incoming.url ?? '',
          contentType: incoming.headers['content-type'],
          contentEncoding: incoming.headers['content-encoding'],
          bytes: body.length,
          status,
        });
        outgoing.writeHead(status, response.headers);
        response.pipe(outgoing);
      });
      onward.end(body);
    });
  }

  static async start(target: string): Promise<RecordingProxy> {
    const proxy = new RecordingProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
