/**
 * Tests that compare what the whole host does must not run beside others that do the same: the test
 * runner starts several files at a time. Who listens on the socket is alone; it has no file, so that
 * it is free again however its holder ends.
 */
import { createServer } from 'node:net';
import { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const SOCKET = '\0mem-watcher-test-pressure';
const EVERY_MS = 50;

/** Inside of `describe`: its tests run while nobody else's do that say the same. */
export function runAlone(): void {
  let release: () => void;
  before(async () => {
    release = await alone();
  });
  after(() => release());
}

/** Resolves when nobody else is; call what it gives when done. */
export async function alone(): Promise<() => void> {
  for (;;) {
    const release = await tryToBe();
    if (release) return release;
    await sleep(EVERY_MS);
  }
}

function tryToBe(): Promise<(() => void) | undefined> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(SOCKET, () => {
      server.unref();
      resolve(() => server.close());
    });
  });
}
