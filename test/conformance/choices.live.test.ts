/**
 * What the profiles promise, asked of the running kernel: a strategy, or a part's choice, whose facts
 * hold is loaded and attached; only a policy (lockdown, a security module) may still refuse it. So
 * every program is seen by the verifier of every kernel of the matrix, also those that are never the
 * first choice. What that costs is bounded, for users wait for it, and emulated CPUs much longer.
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

/**
 * Of one program. The most are 53,000 (memleak, any_return on 6.1); a loop that multiplies has soon hundreds
 * of thousands.
 */
const MOST_VERIFIED = 60_000;

/** By program that was loaded, if the kernel says it (since 5.16). */
const verified = new Map<string, number>();

/** What became of the only strategy of `profile`, and of the only choice of each of its parts. */
function tried(profile: KernelProfile): StrategyReport {
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
    const loaded = loader.load();
    for (const program of loaded.programs) {
      const { verifiedInstructions } = loaded.object.programInfo(program);
      if (verifiedInstructions) verified.set(`${profile.plugin} ${program}`, verifiedInstructions);
    }
    void loaded.close();
  } catch (error) {
    if (report === undefined) throw error;
  }
  assert.ok(report);
  return report;
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
  const alone = new Map<Strategy, StrategyReport>();
  const loaded = (strategy: Strategy): StrategyReport => {
    const known = alone.get(strategy) ?? tried({ plugin, strategies: [bare(strategy)], parts: [] });
    alone.set(strategy, known);
    return known;
  };
  const offered = strategies.filter(({ name }) => offers(facts.verdicts, name));
  /** What parts are loaded with here. */
  const carrier = (): Strategy | undefined =>
    offered.find(
      (strategy) =>
        !strategy.manual && loaded(strategy).verdicts.every(({ outcome }) => outcome === 'chosen'),
    );
  const choicesOf = parts.map((part, n) =>
    part.choices.filter(({ name }) => offers(facts.parts[n]?.verdicts, name)),
  );
  /** Every part's nth choice in one load: each part has a verdict of its own. */
  const rounds: (StrategyReport | undefined)[] = [];
  const round = (n: number): StrategyReport | undefined => {
    const strategy = carrier();
    if (!strategy) return undefined;
    const chosen = parts.flatMap((part, place): Part[] => {
      const choice = choicesOf[place]?.[n];
      return choice ? [{ ...part, choices: [choice] }] : [];
    });
    rounds[n] ??= tried({ plugin, strategies: [bare(strategy)], parts: chosen });
    return rounds[n];
  };

  describe(`${name}: what its profile offers on this kernel`, () => {
    for (const strategy of offered) {
      test(`the strategy ${strategy.name}`, (context) => check(loaded(strategy).verdicts, context));
    }
    for (const [place, part] of parts.entries()) {
      for (const [n, choice] of (choicesOf[place] ?? []).entries()) {
        test(`the part ${part.name} by ${choice.name}`, (context) => {
          const report = round(n);
          if (!report) return context.skip('no strategy works');
          check(report.parts.find((one) => one.part === part.name)?.verdicts ?? [], context);
        });
      }
    }
  });
}

test('every profile offers a strategy to the running kernel', { skip }, () => {
  assert.ok(names.length > 0);
  for (const name of names) {
    const { verdicts } = explain(kernel, readProfile(profiles, name));
    const offered = verdicts.filter(({ outcome }) => outcome !== 'rejected');
    assert.ok(offered.length > 0, `${name} offers none: ${JSON.stringify(verdicts)}`);
  }
});

test('the verifier is done with each program soon', { skip }, (context) => {
  if (verified.size === 0) return context.skip('the kernel does not say what it has verified');
  const dear = [...verified].filter(([, instructions]) => instructions > MOST_VERIFIED);
  assert.deepEqual(dear, []);
});

function check(verdicts: readonly StrategyVerdict[], context: { skip(why: string): void }): void {
  assert.ok(verdicts.length > 0);
  for (const { strategy, outcome, reasons } of verdicts) {
    const why = reasons.join('; ');
    const policy = outcome === 'rejected' && POLICY.test(why);
    if (policy) context.skip(why.split('\n')[0] ?? '');
    else assert.equal(outcome, 'chosen', `${strategy}: ${why}`);
  }
}
