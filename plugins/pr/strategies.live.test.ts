/** Every strategy and every choice of a part that the facts allow, loaded and attached for real. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBpfHost } from '../../core/bpf/libbpf.js';
import { findInstallation } from '../../core/install.js';
import { missingFacts } from '../../core/kernel/facts.js';
import type { KernelProfile, StrategyReport } from '../../core/kernel/kernel.js';
import { createBpfLoader } from '../../core/kernel/loader.js';
import { permissionShortage } from '../../core/kernel/permission.js';
import { readProfile } from '../../core/kernel/profile.js';
import { RunningKernel } from '../../core/kernel/running-kernel.js';
import { silentLogger } from '../../core/logger.js';
import { metadata } from './metadata.js';

const installation = findInstallation(import.meta.url);
const kernel = new RunningKernel();
const profile = readProfile(installation.profiles, metadata.name);
const shortage =
  permissionShortage(kernel)?.message ?? (kernel.btfPath ? undefined : 'the kernel has no BTF');

/** Loads and closes; what was chosen, and why not. */
function tryLoad(tried: KernelProfile, strategy: string): StrategyReport {
  let report: StrategyReport | undefined;
  const loader = createBpfLoader({
    host: createBpfHost(),
    kernel,
    profile: tried,
    objectFile: installation.bpfObject(metadata.name),
    strategy,
    logger: silentLogger,
    onReport: (told) => {
      report = told;
    },
  });
  void loader.load().close();
  assert(report);
  return report;
}

/** A policy may refuse what the facts allow (lockdown); any other refusal is a failure. */
const isPolicy = (reasons: readonly string[]) => reasons.some((text) => /EPERM/.test(text));

describe('the profile of pr', () => {
  /** An episode that begins meanwhile would seem to have no end, or to have looked at nothing. */
  it('has what begins an episode attached last', () => {
    const isBegin = (program: string) => /_begin|_wake$/.test(program);
    const choices = profile.parts?.flatMap((part) => part.choices) ?? [];
    for (const { name, programs } of [...profile.strategies, ...choices]) {
      const firstBegin = programs.findIndex(isBegin);
      const after = firstBegin < 0 ? [] : programs.slice(firstBegin);
      assert.deepEqual(
        after.filter((program) => !isBegin(program)),
        [],
        name,
      );
    }
  });
});

describe('pr on the running kernel', shortage === undefined ? {} : { skip: shortage }, () => {
  for (const strategy of profile.strategies) {
    it(`sees by ${strategy.name}`, (t) => {
      const missing = missingFacts(kernel, strategy);
      if (missing.length > 0) return t.skip(missing.join('; '));
      assert.equal(tryLoad({ ...profile, parts: [] }, strategy.name).chosen, strategy.name);
    });
  }

  for (const part of profile.parts ?? []) {
    for (const choice of part.choices) {
      it(`has ${part.name} by ${choice.name}`, (t) => {
        const missing = missingFacts(kernel, choice);
        if (missing.length > 0) return t.skip(missing.join('; '));
        const only = { ...profile, parts: [{ ...part, choices: [choice] }] };
        const [report] = tryLoad(only, 'auto').parts ?? [];
        const reasons = report?.verdicts.flatMap((verdict) => verdict.reasons) ?? [];
        if (report?.chosen === undefined && isPolicy(reasons)) return t.skip(reasons.join('; '));
        assert.equal(report?.chosen, choice.name, reasons.join('\n'));
      });
    }
  }
});
