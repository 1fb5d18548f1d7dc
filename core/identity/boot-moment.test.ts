import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { bootMoment, bootSecond, readBootMoment } from './boot-moment.js';

const BOOT = 1_700_000_000_700;

describe('readBootMoment', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mem-watcher-boot-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const agent = (measured: number, bootId = 'this-boot') =>
    readBootMoment({ folder, bootId: () => bootId, measure: () => measured });

  it('is one figure for all agents of a boot, though the clock was set by a little', () => {
    assert.equal(agent(BOOT), BOOT);
    // Over the end of a second: /proc/stat shows another btime now.
    assert.equal(agent(BOOT + 310), BOOT);
    assert.equal(agent(BOOT - 1500), BOOT);
  });

  it('is measured anew after a reboot, and after the clock was set by a lot', () => {
    agent(BOOT);
    assert.equal(agent(BOOT + 60_000, 'next-boot'), BOOT + 60_000);
    assert.equal(agent(BOOT + 3_600_000, 'next-boot'), BOOT + 3_600_000);
    assert.equal(agent(BOOT + 3_600_001, 'next-boot'), BOOT + 3_600_000);
  });

  it('is measured where nothing can be written', () => {
    const options = { folder: '/proc/nowhere', bootId: () => 'this-boot', measure: () => BOOT };
    assert.equal(readBootMoment(options), BOOT);
  });

  it('is the same in every process of this machine', (context) => {
    if (process.getuid?.() !== 0) return context.skip('needs root to read /proc/timer_list');
    const module = new URL('./boot-moment.js', import.meta.url).href;
    const script = `console.log((await import('${module}')).readBootMoment({ folder: '${folder}/none' }))`;
    const run = () =>
      execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    assert.equal(run(), run());
  });

  it('does not move while a process runs', () => {
    assert.equal(bootMoment(), bootMoment());
    assert.ok(bootMoment() - bootSecond() < 1000);
  });
});
