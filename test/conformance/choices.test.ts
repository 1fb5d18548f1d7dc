/**
 * What the profiles promise, asked of the running kernel: a strategy, or a part's choice, whose facts
 * hold is loaded and attached; only a policy (lockdown, a security module) may still refuse it. So
 * every program is seen by the verifier of every kernel of the matrix, also those that are never the
 * first choice.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createBpfHost } from '../../core/bpf/libbpf.js';
import { findInstallation } from '../../core/install.js';
import type {
  KernelProfile,
  Part,
  Strategy,
  StrategyReport,
  StrategyVerdict,
} from '../../core/kernel/kernel.js';
import { createBpfLoader, explain } from '../../core/kernel/loader.js';
import { permissionShortage } from '../../core/kernel/permission.js';
import { readProfile } from '../../core/kernel/profile.js';
import { RunningKernel } from '../../core/kernel/running-kernel.js';
import { silentLogger } from '../../core/logger.js';
import { objectNames } from '../../core/metadata.js';
import { plugins, profiles } from './harness.js';

const kernel = new RunningKernel();
const skip =
  permissionShortage(kernel)?.message ?? (kernel.btfPath ? false : 'the kernel has no BTF');
const installation = findInstallation(import.meta.url);

/** What a policy says, and nobody else. */
const POLICY = /: EPERM \(operation not permitted\)/;

/** What became of the only strategy and the only choice of the only part of `profile`. */
function tried(profile: KernelProfile): readonly StrategyVerdict[] {
  let report: StrategyReport | undefined;
  try {
    const loader = createBpfLoader({
      host: createBpfHost(),
      kernel,
      profile,
      objectFile: installation.bpfObject(profile.plugin),
      strategy: profile.strategies[0]?.name ?? '',
      logger: silentLogger,
      onReport: (told) => {
        report = told;
      },
    });
    void loader.load().close();
  } catch (error) {
    if (report === undefined) throw error;
  }
  assert.ok(report);
  return [...report.verdicts, ...report.parts.flatMap(({ verdicts }) => verdicts)];
}

const names = plugins.flatMap(({ metadata }) => objectNames(metadata));
for (const name of skip === false ? names : []) {
  const profile = readProfile(profiles, name);
  const { plugin, strategies, parts = [] } = profile;
  const facts = explain(kernel, profile);
  const offers = (verdicts: readonly StrategyVerdict[] | undefined, name: string) =>
    verdicts?.find(({ strategy }) => strategy === name)?.outcome !== 'rejected';
  /** Without the maps that are the parts' own. */
  const bare = (strategy: Strategy): Strategy => {
    const owned = parts.flatMap(({ choices }) => choices).flatMap(({ maps = [] }) => maps);
    return { ...strategy, omit_maps: [...new Set([...(strategy.omit_maps ?? []), ...owned])] };
  };
  const alone = (strategy: Strategy, ...with_: Part[]) =>
    tried({ plugin, strategies: [bare(strategy)], parts: with_ });
  /** What a part is loaded with here. */
  const carrier = strategies.find(
    (strategy) =>
      !strategy.manual &&
      offers(facts.verdicts, strategy.name) &&
      alone(strategy).every(({ outcome }) => outcome === 'chosen'),
  );

  describe(`${name}: what its profile offers on this kernel`, () => {
    for (const strategy of strategies.filter(({ name }) => offers(facts.verdicts, name))) {
      test(`the strategy ${strategy.name}`, (context) => check(alone(strategy), context));
    }
    for (const [n, part] of parts.entries()) {
      const offered = part.choices.filter(({ name }) => offers(facts.parts[n]?.verdicts, name));
      for (const choice of offered) {
        test(`the part ${part.name} by ${choice.name}`, (context) => {
          if (carrier) check(alone(carrier, { ...part, choices: [choice] }), context);
          else context.skip('no strategy works');
        });
      }
    }
  });
}

test('the running kernel can be asked', { skip }, () => {});

function check(verdicts: readonly StrategyVerdict[], context: { skip(why: string): void }): void {
  for (const { strategy, outcome, reasons } of verdicts) {
    const why = reasons.join('; ');
    const policy = outcome === 'rejected' && POLICY.test(why);
    if (policy) context.skip(why.split('\n')[0] ?? '');
    else assert.equal(outcome, 'chosen', `${strategy}: ${why}`);
  }
}
