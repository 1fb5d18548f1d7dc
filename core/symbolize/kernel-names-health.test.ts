import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { StatusKeeper } from '../status.js';
import { KernelSymbols } from './kallsyms.js';
import { reportKernelNames } from './kernel-names-health.js';

test('hidden kernel addresses degrade the plugin until they can be read, and are not laid to the kernel', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-kallsyms-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'kallsyms');
  writeFileSync(file, '0000000000000000 T _stext\n0000000000000000 T do_exit\n');
  let now = 0;
  const symbols = new KernelSymbols({ file, clock: () => now });
  t.after(() => symbols.close());
  const status = new StatusKeeper('paf', () => undefined);
  status.running();
  reportKernelNames(status, symbols);
  assert.equal(status.current.state, 'degraded');
  assert.match(status.current.reason ?? '', /^kernel stacks have no function names: .*CAP_SYSLOG/);
  assert.deepEqual(status.current.lacks, []);

  writeFileSync(file, 'ffffffff81000000 T _stext\nffffffff81000100 T do_exit\n');
  now += 60_000;
  reportKernelNames(status, symbols);
  assert.equal(status.current.state, 'ok');
});
