import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FakeWorld } from '../../test/fakes/cli.js';
import { runCli } from './cli.js';
import type { CliContext } from './context.js';

const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-live-'));
after(() => rmSync(folder, { recursive: true }));

test('a live view says a failure once: its agent logs nothing, unless debugging', async () => {
  for (const [level, silent] of [
    ['info', true],
    ['debug', undefined],
  ] as const) {
    const config = join(folder, `${level}.yaml`);
    writeFileSync(config, `log: {level: ${level}}\n`);
    const { context } = new FakeWorld(folder, { env: { MEM_WATCHER_CONFIG: config } });
    const asked: (true | undefined)[] = [];
    const createAgent: CliContext['createAgent'] = (config, options) => {
      asked.push(options?.silent);
      return context.createAgent(config);
    };
    assert.equal(await runCli(['pool', '--once'], { ...context, createAgent }), 0);
    assert.deepEqual(asked, [silent]);
  }
});
