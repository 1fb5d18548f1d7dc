/** Every strategy and part that this kernel should be able to do is loaded on it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBpfHost } from '../../../core/bpf/libbpf.js';
import { findInstallation } from '../../../core/install.js';
import type { StrategyReport } from '../../../core/kernel/kernel.js';
import { createBpfLoader, explain } from '../../../core/kernel/loader.js';
import { readProfile } from '../../../core/kernel/profile.js';
import { RunningKernel } from '../../../core/kernel/running-kernel.js';
import { silentLogger } from '../../../core/logger.js';
import { WALK_PROGRAMS } from './readings.js';

const installation = findInstallation(import.meta.url);
const kernel = new RunningKernel();
const profile = readProfile(installation.profiles, 'memleak-kernel');

describe('memleak-kernel on this kernel', { timeout: 300_000 }, () => {
  for (const { strategy, outcome, reasons } of explain(kernel, profile).verdicts) {
    const skip = outcome === 'rejected' ? reasons.join('; ') : false;
    it(`sees by ${strategy}`, { skip }, (t) => {
      const reports: StrategyReport[] = [];
      const loaded = createBpfLoader({
        strategy,
        host: createBpfHost(),
        kernel,
        profile,
        objectFile: installation.bpfObject('memleak-kernel'),
        logger: silentLogger,
        onReport: (report) => reports.push(report),
      }).load();
      try {
        assert.equal(loaded.strategy, strategy);
        for (const { part, chosen, verdicts } of reports.flatMap(({ parts }) => parts)) {
          t.diagnostic(`${part}: ${chosen ?? JSON.stringify(verdicts)}`);
        }
        for (const program of loaded.programs) {
          if (!WALK_PROGRAMS.includes(program)) loaded.object.attach(program).close();
        }
        assert.ok(loaded.parts.has('pages') && loaded.parts.has('percpu'));
      } finally {
        void loaded.close();
      }
    });
  }
});
